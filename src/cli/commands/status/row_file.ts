import { stat } from "node:fs/promises";
import { z } from "zod";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { isMissing } from "../../../platform/system_errors.ts";
import { type SentRow, sentRowSchema } from "../../../service/rows/row_schemas.ts";
import { readEntries } from "../outcomes/outcome_files.ts";

const fileRowSchema = sentRowSchema.extend({ request_id: sentRowSchema.shape.request_id.optional() });

/** Endpoints have no such names: a file was meant. */
const OF_A_FILE = /[./\\]/;

/**
 * The first rows of a file of JSON lines; null where there is no file of that name, which is an endpoint's then.
 * @throws InvalidRequestError with the line that is wrong
 */
export async function rowsOfFile(name: string, limit: number): Promise<SentRow[] | null> {
  if (!(await isFile(name))) {
    if (!OF_A_FILE.test(name)) return null;
    throw new InvalidRequestError(`--from ${name} is no endpoint, and no file that can be read.`);
  }
  const rows: SentRow[] = [];
  try {
    for await (const { line, entry } of readEntries(name, "jsonl")) {
      rows.push(rowOf(entry, name, line));
      if (rows.length === limit) break;
    }
  } catch (cause) {
    if (cause instanceof InvalidRequestError) throw cause;
    throw new InvalidRequestError(`--from ${name} cannot be read: ${String(cause)}.`, { cause });
  }
  if (rows.length > 0) return rows;
  throw new InvalidRequestError(`--from ${name} has no row: write ${EXAMPLE} into a line of its own.`);
}

const EXAMPLE = '{"path": "/predict", "input": {...}}';

function rowOf(entry: unknown, name: string, line: number): SentRow {
  const row = fileRowSchema.safeParse(entry);
  if (row.success) return { ...row.data, request_id: row.data.request_id ?? `line ${line}` };
  throw new InvalidRequestError(
    `${name}, line ${line} is no row: write ${EXAMPLE}. ${z.prettifyError(row.error)}`,
    { cause: row.error },
  );
}

async function isFile(name: string): Promise<boolean> {
  try {
    return !(await stat(name)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw new InvalidRequestError(`--from ${name} cannot be read: ${String(error)}.`, { cause: error });
  }
}
