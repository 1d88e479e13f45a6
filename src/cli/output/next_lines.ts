import type { Paint } from "./terminal/terminal.ts";

/** The commands that go on from here, each with what it does. */
export function nextLines(
  steps: readonly (readonly [command: string, why: string])[],
  paint: Paint,
): string[] {
  return steps.map(
    ([command, why]) => `${paint.bold("next")}  ${paint.cyan(command)}${paint.dim(`  ${why}`)}`,
  );
}
