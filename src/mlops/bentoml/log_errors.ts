/** An exception's last line, as Python prints it: `ModuleNotFoundError: No module named 'skops'`. */
const exceptionLine =
  /^(?:[A-Za-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Failure|Invalid\w*|Warning)\b(?::.*)?$/;
const cliErrorLine = /^Error: .+$/;
/** uvicorn's and circus's way of saying that a worker's start ended. */
const consequence = /^(?:SystemExit|KeyboardInterrupt|asyncio\.\S*CancelledError)\b/;

/** The last line of a Python program's output that names an error; null when none does. */
export function lastErrorLine(output: string): string | null {
  const lines = output.split("\n").map((line) => line.trim());
  const found = lines.findLast((line) => isErrorLine(line) && !consequence.test(line));
  return found === undefined ? null : found.slice(0, 1000);
}

/** How often the last error stands in the output: a worker that is started again and again says the same each time. */
export function countErrorLine(output: string, line: string): number {
  return output.split("\n").filter((candidate) => candidate.trim().slice(0, 1000) === line).length;
}

function isErrorLine(line: string): boolean {
  if (/Warning\b/.test(line.split(":")[0] ?? "")) return false;
  return exceptionLine.test(line) || cliErrorLine.test(line);
}
