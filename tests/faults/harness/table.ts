import type { FaultRow, RowResult } from "./fault_row.ts";

export interface Finished {
  row: FaultRow;
  result: RowResult;
  seconds: number;
  /** Runs this row again, alone, with the same draws. */
  command: string;
}

const HEADINGS = ["fault", "cases", "converged", "lost", "violated", "seconds", "again"] as const;

export function holds({ result }: Finished): boolean {
  return result.converged === result.cases && result.lost === 0 && result.violations.length === 0;
}

export function tableOf(finished: readonly Finished[], seed: number): string {
  const lines = [HEADINGS, ...finished.map(cellsOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const rows = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  const total = finished.reduce((sum, { result }) => sum + result.cases, 0);
  const held = finished.filter(holds).length;
  const minutes = finished.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
  const summary = `${held} of ${finished.length} rows hold, ${total} cases in ${minutes.toFixed(1)} min, seed ${seed}`;
  return [...rows, ...crashPointsOf(finished), summary].map((line) => line.trimEnd()).join("\n");
}

function crashPointsOf(finished: readonly Finished[]): string[] {
  const points = finished.flatMap(({ result }) => result.crash_points ?? []);
  if (points.length === 0) return [];
  const sum = (of: "found" | "killed") => points.reduce((total, one) => total + one[of], 0);
  return [`${sum("found")} crash points found, killed at ${sum("killed")} of them`];
}

function cellsOf({ row, result, seconds, command }: Finished): string[] {
  const { cases, converged, lost, violations, skipped } = result;
  if (skipped !== undefined) return [row.name, "skipped", "", "", "", "", skipped];
  const figures = [cases, converged, lost, violations.length, Math.round(seconds)];
  return [row.name, ...figures.map(String), command];
}
