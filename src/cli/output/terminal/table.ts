import type { Paint } from "./terminal.ts";

/** Columns as wide as their widest cell. */
export function table(heads: string[], rows: string[][], paint: Paint): string[] {
  if (rows.length === 0) return [paint.dim("nothing")];
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [paint.dim(line(heads)), ...rows.map(line)];
}
