import type { Paint } from "./terminal.ts";

const WIDTH = 40;

/** One share as a bar of 40 characters, its percents and its name. */
export function barLine(
  weight: number,
  label: string,
  paint: Paint,
  colour: "cyan" | "magenta" = "cyan",
): string {
  const full = Math.round((weight / 100) * WIDTH);
  const bar = paint[colour]("█".repeat(full)) + paint.dim("░".repeat(WIDTH - full));
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
