import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
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
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    line += 1;
    if (text.trim() === "") continue;
    try {
      yield { line, entry: JSON.parse(text) };
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause;
      throw new InvalidRequestError(`${path}, line ${line} is no JSON: ${cause.message}.`, { cause });
    }
  }
}

interface CsvRow {
  info: { lines: number };
  record: Record<string, string>;
}

/** The first line names the columns; `request_id` and `outcome` are read, and others passed over. */
async function* readCsv(path: string): AsyncGenerator<FileEntry> {
  const rows: AsyncIterable<CsvRow> = createReadStream(path).pipe(
    parse({ columns: true, info: true, bom: true, trim: true, skip_empty_lines: true }),
  );
  try {
    for await (const { info, record } of rows) {
      const { request_id, outcome } = record;
      if (request_id === undefined || outcome === undefined) {
        const columns = Object.keys(record).join(", ");
        throw new InvalidRequestError(
          `${path} has the columns ${columns}: its first line has to name request_id and outcome.`,
        );
      }
      yield { line: info.lines, entry: { request_id, outcome: valueOf(outcome) } };
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new InvalidRequestError(`${path} is no CSV: ${cause.message}.`, { cause });
  }
}

/** Text that a number or a truth value would be written as is one. */
function valueOf(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  return isNumber && Number.isFinite(Number(text)) ? Number(text) : text;
}
