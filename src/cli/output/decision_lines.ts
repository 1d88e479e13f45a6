import type { DecisionRow } from "../../agents/model_deployer/planning/approval/decision_row.ts";
import { table } from "./terminal/table.ts";
import type { Paint } from "./terminal/terminal.ts";

/** Figures beside their bounds, one line each; what misses its bound is marked. */
export function decisionLines(rows: DecisionRow[], paint: Paint): string[] {
  if (rows.length === 0) return [paint.dim("  it rests on no figures")];
  const cells = rows.map((row) => [
    row.met === null ? " " : row.met ? "✓" : "✗",
    row.group,
    row.what,
    row.candidate,
    row.required ?? "",
    row.production ?? "",
  ]);
  const [head = "", ...lines] = table(
    ["", "evidence", "", "this version", "asked for", "in production"],
    cells,
    paint,
  );
  const coloured = lines.map((line, index) => {
    const { met } = rows[index] ?? { met: null };
    return met === null ? line : met ? line.replace("✓", paint.green("✓")) : paint.red(line);
  });
  return [head, ...coloured].map((line) => `  ${line}`);
}
