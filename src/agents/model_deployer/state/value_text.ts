import { inspect } from "node:util";

const LONGEST = 80;

/** Any value as a short text on one line, for messages. */
export function valueText(value: unknown): string {
  const text =
    typeof value === "string"
      ? JSON.stringify(value.slice(0, LONGEST + 1))
      : inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: LONGEST, customInspect: false });
  const line = text.replaceAll(/\s*\n\s*/g, " ");
  return line.length > LONGEST + 2 ? `${line.slice(0, LONGEST)}...` : line;
}
