import type { Sink } from "../../agents/model_deployer/domain/notices/notification_sinks.ts";
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

/** A sentence for each sink that does not take what a team is to be told. */
export function lateNotices(sinks: readonly Sink[]): string[] {
  return sinks.flatMap(({ sink_name, waiting, set_aside, failing_since, last_error }) => [
    ...(failing_since !== null && waiting > 0
      ? [
          `${countOf(waiting)} to ${sink_name} ${waiting === 1 ? "waits" : "wait"} since ${failing_since}: ${last_error ?? "unknown"}`,
        ]
      : []),
    ...(set_aside > 0
      ? [
          `${countOf(set_aside)} to ${sink_name} ${set_aside === 1 ? "was" : "were"} refused; \`model-deployer notifications retry ${sink_name}\` sends anew`,
        ]
      : []),
  ]);
}

const countOf = (notices: number): string => (notices === 1 ? "1 notice" : `${notices} notices`);
