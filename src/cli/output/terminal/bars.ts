import type { Paint } from "./terminal.ts";

/** With a bar this wide a name fits beside it on 80 columns; on a narrower terminal it takes a quarter of the width. */
const [WIDTH, WIDE] = [40, 80];

/** One share as a bar, its percents and its name. `columns` are the terminal's, infinite where there is none. */
export function barLine(
  weight: number,
  label: string,
  paint: Paint,
  { colour = "cyan", columns }: { colour?: "cyan" | "magenta"; columns: number },
): string {
  const width = columns < WIDE ? Math.max(5, Math.floor(columns / 4)) : WIDTH;
  const full = Math.round((weight / 100) * width);
  const bar = paint[colour]("█".repeat(full)) + paint.dim("░".repeat(width - full));
  return `${bar} ${String(weight).padStart(3)} %  ${label}`;
}

/** `2 h 3 min`, `42 s`: the two largest units. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const units = [
    ["d", 86_400],
    ["h", 3600],
    ["min", 60],
    ["s", 1],
  ] as const;
  let left = whole;
  const parts = units.flatMap(([name, size]) => {
    const count = Math.floor(left / size);
    left -= count * size;
    return count === 0 ? [] : [`${count} ${name}`];
  });
  return parts.slice(0, 2).join(" ") || "0 s";
}
