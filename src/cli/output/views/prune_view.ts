import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import { sizeText } from "../../../keeping/kept_quantities.ts";
import type { PruneReport } from "../../../service/machine/keeping_schemas.ts";
import type { Paint } from "../terminal/terminal.ts";

/** Lines for a plan, or for what was done by it; of each kind the total, then what it is made of. */
export function pruneLines(report: PruneReport, paint: Paint): string[] {
  if (report.status === "declined") return ["Nothing was changed."];
  const isDone = report.status === "pruned";
  const verb = isDone ? "removed" : "remove";
  return [
    ...report.removed.map(
      ({ kind, name, bytes, used_at }) =>
        `  ${paint.red(verb)}  ${kind.padEnd(12)} ${shortened(name)}  ${sizeText(bytes)}, used ${used_at.slice(0, 10)}`,
    ),
    ...report.rows.map(
      ({ name, rows, bytes }) =>
        `  ${paint.red(verb)}  ${"rows".padEnd(12)} ${name}  ${count(rows, name === "threads" ? "thread" : "row")}${bytes === null ? "" : `, ${sizeText(bytes)}`}`,
    ),
    ...report.kept.map(
      ({ kind, name, bytes, why }) =>
        `  ${paint.green("keep".padEnd(verb.length))}  ${kind.padEnd(12)} ${shortened(name)}  ${sizeText(bytes)}, ${paint.dim(why)}`,
    ),
    ...report.spared.map(
      ({ kind, name, why }) => `  ${paint.yellow("spared")}  ${kind.padEnd(12)} ${shortened(name)}  ${why}`,
    ),
    paint.bold(summaryOf(report)),
    ...report.notes,
  ];
}

function summaryOf({ status, freed_bytes, kept_bytes, removed, rows }: PruneReport): string {
  const kept = `${sizeText(kept_bytes)} ${status === "pruned" ? "stay" : "would stay"}`;
  if (removed.length === 0 && rows.length === 0) return `Nothing to remove: ${sizeText(kept_bytes)} stay.`;
  return status === "pruned"
    ? `Freed ${sizeText(freed_bytes)}; ${kept}.`
    : `Would free ${sizeText(freed_bytes)}; ${kept}.`;
}

/** A digest by its beginning. */
const shortened = (name: string): string => (/^[0-9a-f]{64}$/.test(name) ? name.slice(0, 12) : name);
