import { type FileHandle, open } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { z } from "zod";
import { rowSchema } from "../../agents/model_deployer/domain/evidence/kept_rows.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type {
  LoggedPrediction,
  PredictionLogs,
  ReadPredictions,
} from "../../agents/model_deployer/ports/evidence/prediction_logs_port.ts";
import type { ReadOptions } from "../../agents/model_deployer/ports/model_server_port.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import { isMissing } from "../../platform/system_errors.ts";
import type { PredictionLogFile } from "./servers/servers_of_deployment.ts";

const lineSchema = z.object({
  x_request_id: z.string().nullable(),
  status: z.int(),
  time: z.iso.datetime({ offset: true }).optional(),
  prediction: z.json(),
  score: z.number().nullable(),
  row: rowSchema.optional(),
});

/** The newest file first, then what it was rotated to: see `prediction_log.py`. */
const SUFFIXES = ["", ".1", ".2", ".3"];
const BYTES_AT_ONCE = 1024 * 1024;
const NEWLINE = 0x0a;

interface LogFile {
  handle: FileHandle;
  inode: string;
  size: number;
}

/**
 * The prediction logs of the servers on this machine. A position is `<inode>:<bytes>`, so that it survives a rotation; one
 * whose file is gone goes on with the oldest that is kept. That of several servers is a JSON object of theirs by name.
 */
export class BentoMLPredictionLogs implements PredictionLogs {
  readonly #filesOf: (deploymentId: string) => Promise<PredictionLogFile[]>;

  constructor(server: { predictionLogFiles(deploymentId: string): Promise<PredictionLogFile[]> }) {
    this.#filesOf = (deploymentId) => server.predictionLogFiles(deploymentId);
  }

  async read(
    deploymentId: string,
    from: string | null,
    { signal, with_failures = false }: ReadOptions,
  ): Promise<ReadPredictions> {
    if (signal.aborted) {
      const message = `the deadline passed before the prediction log of ${deploymentId} was read`;
      throw new ServiceUnavailableError("bentoml", message, { cause: signal.reason });
    }
    const files = await this.#filesOf(deploymentId);
    const paths = files.map(({ path }) => path);
    const positions = positionsOf(from, paths);
    const read = await Promise.all(paths.map((path) => readLog(path, positions.get(serverOf(path)) ?? null)));
    for (const [index, { position }] of read.entries()) {
      if (position !== null) positions.set(serverOf(paths[index] ?? ""), position);
    }
    const isWanted = ({ has_failed }: LoggedPrediction) => with_failures || has_failed !== true;
    return {
      predictions: countedOnce(
        read.map(({ lines }, index) =>
          lines.flatMap(predictionIn).filter((one) => isWanted(one) && !isOfFormerOwner(one, files[index])),
        ),
      ),
      position: positions.size > 1 ? JSON.stringify(Object.fromEntries(positions)) : soleOf(positions),
    };
  }
}

/** A server that was handed over has logged for another deployment before. */
function isOfFormerOwner({ answered_at }: LoggedPrediction, file: PredictionLogFile | undefined): boolean {
  const since = file?.since ?? null;
  return since !== null && answered_at !== undefined && Date.parse(answered_at) < Date.parse(since);
}

const soleOf = (positions: ReadonlyMap<string, string>): string | null => [...positions.values()][0] ?? null;

/**
 * A request whose first server broke off after it had logged is logged by another one as well; it counts once, as the
 * server logged it that got it first. Callers choose the ids, so that a later request must not take an earlier one's place.
 */
function countedOnce(logs: readonly LoggedPrediction[][]): LoggedPrediction[] {
  const first = new Map<string, { server: number; began: number }>();
  for (const [server, predictions] of logs.entries()) {
    for (const { request_id, answered_at } of predictions) {
      const began = answered_at === undefined ? Infinity : Date.parse(answered_at);
      const known = first.get(request_id);
      if (known === undefined || began < known.began) first.set(request_id, { server, began });
    }
  }
  return logs.flatMap((predictions, server) =>
    predictions.filter(({ request_id }) => first.get(request_id)?.server === server),
  );
}

/** `<server>/predictions.jsonl`, or `<server>.jsonl` of one that an earlier version started. */
function serverOf(path: string): string {
  const file = basename(path, ".jsonl");
  return file === "predictions" ? basename(dirname(path)) : file;
}

const positionsSchema = z.record(z.string(), z.string());

/** One that names no server is the first one's. */
function positionsOf(from: string | null, paths: readonly string[]): Map<string, string> {
  if (from === null) return new Map();
  const named = positionsSchema.safeParse(parsedJson(from));
  return named.success ? new Map(Object.entries(named.data)) : new Map([[serverOf(paths[0] ?? ""), from]]);
}

async function readLog(path: string, from: string | null): Promise<ReadLines> {
  const files = await openFiles(path);
  try {
    return await readNext(files, from);
  } finally {
    await Promise.all(files.map(({ handle }) => handle.close()));
  }
}

/** Oldest first. A file that is rotated meanwhile is met once: what is open stays what it is. */
async function openFiles(path: string): Promise<LogFile[]> {
  const files = new Map<string, LogFile>();
  for (const suffix of SUFFIXES) {
    const handle = await open(`${path}${suffix}`, "r").catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (handle === null) continue;
    const { ino, size } = await handle.stat({ bigint: true });
    const inode = String(ino);
    if (files.has(inode)) await handle.close();
    else files.set(inode, { handle, inode, size: Number(size) });
  }
  return [...files.values()].reverse();
}

interface ReadLines {
  lines: string[];
  position: string | null;
}

async function readNext(files: readonly LogFile[], from: string | null): Promise<ReadLines> {
  let { index, offset } = startAt(files, from);
  for (; index < files.length; index += 1, offset = 0) {
    const file = files[index];
    if (file === undefined) break;
    const { lines, bytes } = await readLines(file, offset);
    const isLast = index === files.length - 1;
    if (bytes > 0 || isLast) {
      return { lines, position: `${file.inode}:${offset + bytes}` };
    }
  }
  return { lines: [], position: from };
}

/**
 * Without a position reading starts at the newest megabyte: older lines have no counterpart that is still waited for.
 */
function startAt(files: readonly LogFile[], from: string | null): { index: number; offset: number } {
  const last = files.length - 1;
  if (from === null) return { index: Math.max(0, last), offset: newestMegabyte(files[last]) };
  const [inode, bytes = "0"] = from.split(":");
  const index = files.findIndex((file) => file.inode === inode && file.size >= Number(bytes));
  return index === -1 ? { index: 0, offset: 0 } : { index, offset: Number(bytes) };
}

const newestMegabyte = (file: LogFile | undefined): number => Math.max(0, (file?.size ?? 0) - BYTES_AT_ONCE);

/** Whole lines only; the rest of the last one is read when it is whole. Takes no more memory than there is to read. */
async function readLines(
  { handle, size }: LogFile,
  offset: number,
): Promise<{ lines: string[]; bytes: number }> {
  const length = Math.min(BYTES_AT_ONCE, size - offset);
  if (length <= 0) return { lines: [], bytes: 0 };
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset);
  const end = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
  // A line longer than the buffer would never be read whole, so it is skipped.
  if (end === 0) return { lines: [], bytes: bytesRead === BYTES_AT_ONCE ? bytesRead : 0 };
  return { lines: buffer.toString("utf8", 0, end).split("\n"), bytes: end };
}

/** A line without a request id cannot be compared, nor can one that was cut. */
export function predictionIn(line: string): LoggedPrediction[] {
  const parsed = lineSchema.safeParse(parsedJson(line));
  if (!parsed.success) return [];
  const { x_request_id: request_id, status, prediction, score, time, row } = parsed.data;
  if (request_id === null) return [];
  const failure = status === 200 ? {} : { has_failed: true };
  return [
    {
      request_id,
      prediction,
      score,
      ...(time !== undefined && { answered_at: time }),
      ...failure,
      ...(row && { row }),
    },
  ];
}
