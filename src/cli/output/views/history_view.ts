import { criteriaChangeText } from "../../../agents/model_deployer/planning/wording/criteria_change.ts";
import { figuresText } from "../figures_text.ts";
import type { HistoryReport } from "../../../service/status/history_schemas.ts";
import type { Paint } from "../terminal/terminal.ts";

export function historyLines(data: HistoryReport, paint: Paint): string[] {
  const nameOf = (id: string) => data.versions[id] ?? id;
  return [
    ...(data.at === null ? [] : atLines(data.at, nameOf, paint)),
    paint.bold(`What was in production, and why: ${data.subject}`),
    ...(data.events.length === 0 ? [paint.dim("  nothing has happened")] : []),
    ...data.events.flatMap((event) => eventLines(event, nameOf, paint)),
    ...(data.episodes.length + data.care.length === 0
      ? []
      : ["", paint.bold("What is remembered, the last first, and what it changes")]),
    ...data.episodes.map(
      (one) => `  ${paint.dim(instant(one.occurred_at))}  ${one.outcome.padEnd(8)} ${one.description}`,
    ),
    ...data.care.map((sentence) => `  ${sentence}`),
    ...data.degraded.map((sentence) => paint.yellow(`  degraded: ${sentence}`)),
  ];
}

const instant = (text: string): string => text.slice(0, 19).replace("T", " ");

function atLines(
  { instant: at, traffic }: NonNullable<HistoryReport["at"]>,
  nameOf: (id: string) => string,
  paint: Paint,
): string[] {
  const shares = traffic.map(
    (one) => `  ${one.endpoint_name}: ${one.weight} % ${nameOf(one.model_version_id)}`,
  );
  return [paint.bold(`In production at ${at}`), ...(shares.length === 0 ? ["  nothing"] : shares), ""];
}

function eventLines(
  event: HistoryReport["events"][number],
  nameOf: (id: string) => string,
  paint: Paint,
): string[] {
  const head = `  ${paint.dim(instant(event.occurred_at))}  ${event.kind.replace("rollout_", "").padEnd(13)}`;
  const by = paint.dim(`by ${event.changed_by}: ${event.reason}`);
  if (event.weights !== null) {
    const shares = Object.entries(event.weights)
      .filter(([, weight]) => weight > 0)
      .map(([id, weight]) => `${weight} % ${nameOf(id)}`);
    return [
      `${head} ${event.endpoint_name ?? ""} ${shares.join(", ") || "no traffic"}  ${by}`,
      ...figureLines(event, paint),
    ];
  }
  if (event.kind === "criteria") return [`${head} ${criteriaChangeText(event.evidence) ?? ""}  ${by}`];
  const version = event.model_version_id === null ? "" : nameOf(event.model_version_id);
  if (event.to_stage === null) return [`${head} ${version}  ${by}`, ...figureLines(event, paint)];
  const metrics = Object.entries(event.metrics).map(([name, value]) => `${name} ${value}`);
  const moved = event.from_stage === null ? event.to_stage : `${event.from_stage} → ${event.to_stage}`;
  return [
    `${head} ${version} ${moved}  ${by}`,
    ...(metrics.length === 0 ? [] : [detail(metrics.join(", "), paint)]),
  ];
}

const detail = (text: string, paint: Paint): string => paint.dim(`  ${" ".repeat(35)}${text}`);

/** The versions' figures at that moment, or why they are not known. */
function figureLines({ metrics, evidence }: HistoryReport["events"][number], paint: Paint): string[] {
  const figures = figuresText(metrics);
  const missing = evidence["live_figures_missing"];
  return [
    ...(figures === null ? [] : [detail(figures, paint)]),
    ...(typeof missing === "string" ? [detail(`no live figures: ${missing}`, paint)] : []),
  ];
}
