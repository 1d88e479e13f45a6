import { createReadStream } from "node:fs";
import { CsvError, parse } from "csv-parse";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";

/** One entry of a file, not checked yet. */
export interface FileEntry {
  line: number;
  entry: unknown;
}

export type FileFormat = "jsonl" | "csv";

/** @param given as the command names it; by the file's ending otherwise */
export function formatOf(path: string, given: string | undefined): FileFormat {
  const named = given ?? /\.(jsonl|ndjson|csv)$/i.exec(path)?.[1]?.toLowerCase();
  if (named === "csv") return "csv";
  if (named === "jsonl" || named === "ndjson") return "jsonl";
  throw new InvalidRequestError(
    given === undefined
      ? `${path} ends in none of .jsonl, .ndjson and .csv: name its --format.`
      : `--format ${given}: name jsonl or csv.`,
  );
}

/** Reads a file entry by entry, however large it is. @throws InvalidRequestError with the line that is wrong */
export function readEntries(path: string, format: FileFormat): AsyncGenerator<FileEntry> {
  return format === "csv" ? readCsv(path) : readLines(path);
}

async function* readLines(path: string): AsyncGenerator<FileEntry> {
  let line = 0;
  for await (const read of linesOf(path)) {
    line += 1;
    const text = line === 1 ? read.replace(/^\uFEFF/, "") : read;
    if (text.trim() === "") continue;
    try {
      yield { line, entry: JSON.parse(text) };
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw new InvalidRequestError(`${path}, line ${line} is no JSON: ${cause.message}.`, { cause });
    }
  }
}

/** Lines end at line feeds alone: what JSON may have within a text, such as U+2028, ends none. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of createReadStream(path, { encoding: "utf8" })) {
    const lines = `${rest}${String(piece)}`.split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  yield rest;
}

interface CsvRow {
  info: { lines: number };
  record: Record<string, string>;
}

/** The first line names the columns; `request_id` and `outcome` are read, and others passed over. */
async function* readCsv(path: string): AsyncGenerator<FileEntry> {
  const parser = parse({
    columns: (columns: string[]) => requireColumns(path, columns),
    ...{ info: true, bom: true, trim: true, skip_empty_lines: true },
  });
  const source = createReadStream(path).on("error", (error) => parser.destroy(error));
  const rows: AsyncIterable<CsvRow> = source.pipe(parser);
  try {
    for await (const { info, record } of rows) {
      const { request_id, outcome = "" } = record;
      yield { line: info.lines, entry: { request_id, outcome: valueOf(outcome) } };
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new InvalidRequestError(`${path} is no CSV: ${cause.message}.`, { cause });
  }
}

function requireColumns(path: string, columns: string[]): string[] {
  for (const wanted of ["request_id", "outcome"]) {
    const found = columns.filter((column) => column === wanted).length;
    if (found === 1) continue;
    const why = found === 0 ? `has the columns ${columns.join(", ")}` : `names ${wanted} ${found} times`;
    throw new InvalidRequestError(`${path} ${why}: its first line has to name request_id and outcome once.`);
  }
  return columns;
}

/** Text that a number or a truth value would be written as is one. */
function valueOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  // Of an id with more digits the number would be another one.
  return isNumber && Math.abs(Number(text)) <= Number.MAX_SAFE_INTEGER ? Number(text) : text;
}
