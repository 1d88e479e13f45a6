import type { OutboxBacklog } from "../../database/repositories/reading/overview.ts";
import type { EndpointStatus } from "../report_schemas.ts";

/** An outbox entry that waits longer than this shows a part that does not accept it. */
const LATE_SECONDS = 60;

/** A sentence for each part of a serving endpoint that does not do what it should. */
export function degradedOf(endpoint: EndpointStatus): string[] {
  const name = endpoint.endpoint_name;
  const serving = endpoint.traffic.filter((one) => one.weight > 0).map((one) => one.deployment_id);
  const dead = endpoint.servers.filter(
    (one) => serving.includes(one.deployment_id) && one.server !== "ready",
  );
  return [
    ...(serving.length > 0 && endpoint.router !== "in_force"
      ? [`the router of ${name} is ${endpoint.router === "absent" ? "not running" : endpoint.router}`]
      : []),
    ...dead.map(
      (one) => `${one.deployment_id} (${one.bento_tag}) has traffic and its server is ${one.server}`,
    ),
  ];
}

/** A sentence where messages have waited for too long. */
export function lateOutbox({ waiting, oldest, last_error }: OutboxBacklog, now: string): string[] {
  if (oldest === null || (Date.parse(now) - Date.parse(oldest)) / 1000 < LATE_SECONDS) return [];
  const why = last_error === null ? "no worker runs" : last_error;
  return [`${waiting} messages to the registry and the memories wait since ${oldest}: ${why}`];
}
