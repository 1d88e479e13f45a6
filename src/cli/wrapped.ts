import { stripVTControlCharacters } from "node:util";
import wrapAnsi from "wrap-ansi";

/** Labels and dates stand in the first columns; what follows them is continued under itself. */
const LABELS = 40;

/** A line at the width of a terminal, by words; what is continued is indented as what it continues. */
export function wrapped(line: string, columns: number): string {
  const text = stripVTControlCharacters(line);
  if (text.length <= columns) return line;
  const indent = hangingIndent(text);
  const [first = "", ...others] = wrapAnsi(line, columns, { hard: false, trim: false }).split("\n");
  if (others.length === 0) return line;
  const rest = wrapAnsi(others.map((one) => one.trim()).join(" "), columns - indent);
  return [first.trimEnd(), ...rest.split("\n").map((one) => " ".repeat(indent) + one)].join("\n");
}

/** Where the text begins that follows the last gap of two spaces among the labels. */
function hangingIndent(text: string): number {
  const gaps = [...text.slice(0, LABELS).matchAll(/ {2,}(?:[-+→] )?(?=\S)/g)];
  const last = gaps.at(-1);
  return last === undefined ? 2 : last.index + last[0].length;
}
