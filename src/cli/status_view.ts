import { isRolloutOpen } from "../agents/model_deployer/domain/rollout.ts";
import { barLine, duration } from "./bars.ts";
import { figuresText } from "./figures_text.ts";
import type { EndpointStatus, StatusReport } from "./schemas.ts";
import type { Paint } from "./terminal.ts";

export function statusLines(status: StatusReport, paint: Paint, columns: number): string[] {
  const { endpoints, operations, degraded, now } = status;
  return [
    ...(endpoints.length === 0 ? [paint.dim("no endpoint is open")] : []),
    ...endpoints.flatMap((endpoint, index) => [
      ...(index === 0 ? [] : [""]),
      ...endpointLines(endpoint, now, paint, columns),
    ]),
    ...operations.map((one) => operationLine(one, paint)),
    ...degraded.map((sentence) => `${label("degraded")}${paint.yellow(sentence)}`),
  ];
}

const label = (name: string): string => `  ${name.padEnd(10)}`;

function endpointLines(endpoint: EndpointStatus, now: string, paint: Paint, columns: number): string[] {
  const { mirror, rollout, lease, router } = endpoint;
  const state = router === "in_force" ? "" : paint.yellow(`, router ${router}`);
  return [
    `${paint.bold(endpoint.endpoint_name)}  ${paint.dim(`${endpoint.endpoint_url}  generation ${endpoint.generation}`)}${state}`,
    ...endpoint.traffic.map((one) => {
      const role = one.role === "serving" ? "" : `  ${one.role}`;
      const colour = one.role === "candidate" ? "magenta" : "cyan";
      return `  ${barLine(one.weight, `${one.bento_tag}${paint.dim(role)}`, paint, { colour, columns })}`;
    }),
    ...(endpoint.traffic.length === 0 ? [paint.dim("  no version has traffic")] : []),
    ...(mirror === null ? [] : [`${label("mirror")}${mirror.bento_tag} ${paint.dim(mirror.deployment_id)}`]),
    ...(rollout === null ? [] : rolloutLines(rollout, now, paint)),
    ...(rollout !== null && isRolloutOpen(rollout) ? [] : changeLines(endpoint, paint)),
    ...endpoint.servers.map((one) => serverLine(one, now, paint)),
    ...(lease === null
      ? []
      : [`${label("lease")}${holderText(lease.holder)} since ${lease.since.slice(11, 19)}`]),
    ...endpoint.operations.map((one) => operationLine(one, paint)),
  ];
}

/** `<host>, process <id>`; the name that tells two holders in one process apart is for machines. */
const holderText = (holder: string): string => holder.replace(/^([^:]+):(\d+):.*$/, "$1, process $2,");

type RolloutView = NonNullable<EndpointStatus["rollout"]>;

function rolloutLines(rollout: RolloutView, now: string, paint: Paint): string[] {
  const { status, steps, step_index, pause } = rollout;
  if (!isRolloutOpen(rollout)) return endedLines(rollout, now, paint);
  const path = steps.map((step, index) =>
    index === step_index ? paint.bold(`${step.weight} %`) : `${step.weight} %`,
  );
  return [
    `${label("rollout")}${status === "paused" ? paint.yellow(status) : status}, step ${step_index + 1} of ${steps.length}: ${path.join(" → ")}${nextStep(rollout, now)}`,
    `${label("")}${paint.dim(rollout.rollout_id)}`,
    ...(pause === null
      ? []
      : [`${label("")}by ${pause.by} for ${duration(secondsBetween(pause.since, now))}: ${pause.reason}`]),
    ...judgedLines(rollout, paint),
  ];
}

function judgedLines({ candidate, baseline, verdict }: RolloutView, paint: Paint): string[] {
  const counted = ({ requests, errors }: RolloutView["candidate"]) =>
    `${requests} (${requests === 0 ? "none" : `${((100 * errors) / requests).toFixed(2)} %`} failed)`;
  return [
    `${label("samples")}candidate ${counted(candidate)}, baseline ${counted(baseline)}`,
    ...(verdict === null ? [] : [`${label("verdict")}${verdictText(verdict, paint)}`]),
  ];
}

/** Who moved the traffic last and why, with what the versions had answered by then. */
function changeLines({ last_change: last }: EndpointStatus, paint: Paint): string[] {
  if (last === null) return [];
  const figures = figuresText(last.metrics);
  const at = paint.dim(last.occurred_at.slice(0, 19).replace("T", " "));
  return [
    `${label("changed")}${at} by ${last.changed_by}: ${last.reason}`,
    ...(figures === null ? [] : [`${label("")}${figures}`]),
  ];
}

/** Of one that went back, also why: what is asked first at night. One that may still go back is judged as before. */
function endedLines(rollout: RolloutView, now: string, paint: Paint): string[] {
  const { rollout_id, status, verdict, watched_until } = rollout;
  const wentBack = status === "rolled_back" || status === "aborted";
  const watched =
    watched_until === null
      ? ""
      : `, watched for ${duration(Math.max(0, secondsBetween(now, watched_until)))} more`;
  return [
    `${label("rollout")}${wentBack ? paint.yellow(status.replaceAll("_", " ")) : status}${watched} ${paint.dim(rollout_id)}`,
    ...(watched_until === null ? [] : judgedLines(rollout, paint)),
    ...(wentBack && verdict !== null ? [`${label("verdict")}${verdictText(verdict, paint)}`] : []),
  ];
}

function verdictText({ outcome, reason }: NonNullable<RolloutView["verdict"]>, paint: Paint): string {
  const colour = { pass: paint.green, fail: paint.red, inconclusive: paint.yellow }[outcome];
  return `${colour(outcome)}: ${reason}`;
}

function nextStep({ next_step_at: at }: RolloutView, now: string): string {
  if (at === null) return "";
  const seconds = secondsBetween(now, at);
  return seconds > 0 ? `, next in ${duration(seconds)}` : ", next as soon as the judge lets it";
}

const secondsBetween = (from: string, to: string): number => (Date.parse(to) - Date.parse(from)) / 1000;

function serverLine(server: EndpointStatus["servers"][number], now: string, paint: Paint): string {
  const mark = server.server === "ready" ? paint.green("●") : paint.yellow("○");
  const warm =
    server.warm_until === null ? "" : `, warm for ${duration(secondsBetween(now, server.warm_until))}`;
  const note = server.note === null ? "" : ` (${server.note})`;
  return `${label("server")}${mark} ${server.bento_tag} ${server.server}${note}, ${server.status}${warm} ${paint.dim(server.deployment_id)}`;
}

function operationLine(operation: StatusReport["operations"][number], paint: Paint): string {
  const { operation_id: id, status, requested_by: by, summary } = operation;
  return `${label("operation")}${paint.yellow(status.replaceAll("_", " "))} ${id} by ${by}: ${summary}`;
}
