import { stripVTControlCharacters } from "node:util";
import wrapAnsi from "wrap-ansi";

/** Labels and dates stand in the first columns; what follows them is continued under itself. */
const LABELS = 40;
/** The longest id has 41 characters; where there is less room than that beside the labels, the indent is given up. */
const ROOM = 41;
const SHALLOW = 4;
/** The gap that joins two lines to one, with the colours that each ends or begins with. */
const GAP = / +((?:\u001b\[\d+m)*) +/g;

/** A line at the width of a terminal, by words, and a word that is wider by its letters; each goes on under the text. */
export function wrapped(line: string, columns: number): string {
  const text = stripVTControlCharacters(line);
  if (text.length <= columns) return line;
  const hanging = hangingIndent(text);
  const indent = columns - hanging < ROOM ? Math.min(hanging, SHALLOW) : hanging;
  const [first = "", ...others] = wrapAnsi(line, columns, { hard: false, trim: false }).split("\n");
  if (others.length === 0) return line;
  const rest = wrapAnsi(
    others
      .map((one) => one.trim())
      .join(" ")
      .replaceAll(GAP, "$1 "),
    columns - indent,
    { hard: true },
  );
  return [first.trimEnd(), ...rest.split("\n").map((one) => " ".repeat(indent) + one)].join("\n");
}

/** Where the text begins that follows the last gap of two spaces among the labels. */
function hangingIndent(text: string): number {
  const gaps = [...text.slice(0, LABELS).matchAll(/ {2,}(?:[-+→] )?(?=\S)/g)];
  const last = gaps.at(-1);
  return last === undefined ? 2 : last.index + last[0].length;
}
