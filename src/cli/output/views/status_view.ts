import { elsewhere } from "../../../agents/model_deployer/domain/servers/engines.ts";
import { isRolloutOpen } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import { sentenceOfProgress } from "../../../platform/work/work_progress.ts";
import { barLine, duration } from "../terminal/bars.ts";
import { figuresText } from "../figures_text.ts";
import { policyText } from "./ingress_view.ts";
import type { EndpointStatus, StatusReport } from "../../../service/report_schemas.ts";
import type { Paint } from "../terminal/terminal.ts";

export function statusLines(status: StatusReport, paint: Paint, columns: number): string[] {
  const { endpoints, operations, under_way, degraded, now } = status;
  return [
    ...(endpoints.length === 0 ? [paint.dim("no endpoint is open")] : []),
    ...endpoints.flatMap((endpoint, index) => [
      ...(index === 0 ? [] : [""]),
      ...endpointLines(endpoint, now, paint, columns),
    ]),
    ...operations.map((one) => operationLine(one, now, paint)),
    ...under_way.map((one) => `${label("making")}${one.what}: ${sentenceOfProgress(one)}`),
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
    ...ingressLines(endpoint, paint),
    ...(rollout === null ? [] : rolloutLines(rollout, now, paint)),
    ...(rollout !== null && isRolloutOpen(rollout) ? [] : changeLines(endpoint, paint)),
    ...endpoint.servers.flatMap((one) => serverLines(one, now, paint)),
    ...(lease === null
      ? []
      : [`${label("lease")}${holderText(lease.holder)} since ${lease.since.slice(11, 19)}`]),
    ...endpoint.operations.map((one) => operationLine(one, now, paint)),
  ];
}

/** Nothing of an endpoint that takes everybody, as much as they send. */
function ingressLines({ ingress, router }: EndpointStatus, paint: Paint): string[] {
  const { policy, revision, enforced } = ingress;
  if (revision === 0) return [];
  const isIn = enforced === revision || router === "absent";
  const state = isIn ? "" : paint.yellow(`, not enforced: the router has ${enforced ?? "no policy"}`);
  return [`${label("callers")}${policyText(policy)}${state}`];
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

/** The last change of traffic: its requester, reason, and the versions' figures at that time. */
function changeLines({ last_change: last }: EndpointStatus, paint: Paint): string[] {
  if (last === null) return [];
  const figures = figuresText(last.metrics);
  const at = paint.dim(last.occurred_at.slice(0, 19).replace("T", " "));
  return [
    `${label("changed")}${at} by ${last.changed_by}: ${last.reason}`,
    ...(figures === null ? [] : [`${label("")}${figures}`]),
  ];
}

/**
 * A rollout that has ended, with the reason where it went back, which is asked first at night. A watched one is shown
 * with its verdict.
 */
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

function serverLines(server: EndpointStatus["servers"][number], now: string, paint: Paint): string[] {
  const mark = server.server === "ready" ? paint.green("●") : paint.yellow("○");
  const kept = server.server === "ready" ? "warm" : "to be kept warm";
  const warm =
    server.warm_until === null ? "" : `, ${kept} for ${duration(secondsBetween(now, server.warm_until))}`;
  const note = server.note === null ? "" : ` (${server.note})`;
  const { sample_failure: sample, restart } = server;
  return [
    `${label("server")}${mark} ${server.bento_tag} ${server.server}${elsewhere(server.engine)}${note}, ${server.status}${warm} ${paint.dim(server.deployment_id)}`,
    ...server.replicas.map((one) => replicaLine(one, paint)),
    ...(sample === null
      ? []
      : [`${label("sample")}${paint.yellow(`of ${server.bento_tag} fails: ${sample}`)}`]),
    ...(restart === null ? [] : [`${label("restart")}${paint.yellow(`of ${server.bento_tag}: ${restart}`)}`]),
  ];
}

function replicaLine(
  { replica, server, port, note }: EndpointStatus["servers"][number]["replicas"][number],
  paint: Paint,
): string {
  const mark = server === "ready" ? paint.green("●") : paint.yellow("○");
  const where = port === null ? "" : paint.dim(` port ${port}`);
  return `${label("")}${mark} ${replica} ${server}${where}${note === null ? "" : ` (${note})`}`;
}

function operationLine(operation: StatusReport["operations"][number], now: string, paint: Paint): string {
  const { operation_id: id, status, requested_by: by, summary } = operation;
  return `${label("operation")}${paint.yellow(status.replaceAll("_", " "))}${waitText(operation, now)} ${id} by ${by}: ${summary}`;
}

function waitText({ status, waits_until }: StatusReport["operations"][number], now: string): string {
  if (status !== "awaiting_approval" || waits_until === null) return "";
  const seconds = secondsBetween(now, waits_until);
  return seconds > 0 ? ` for ${duration(seconds)} more` : `, expired at ${waits_until.slice(0, 19)}Z`;
}
