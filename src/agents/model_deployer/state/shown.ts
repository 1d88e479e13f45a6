import { inspect } from "node:util";

const SHOWN = 80;

/** Any value as a short text on one line, for messages. */
export function shown(value: unknown): string {
  const text =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, SHOWN + 1))
      : inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: SHOWN, customInspect: false });
  const line = text.replaceAll(/\s*\n\s*/g, " ");
  return line.length > SHOWN + 2 ? `${line.slice(0, SHOWN)}...` : line;
}
