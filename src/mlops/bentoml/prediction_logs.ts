import { type FileHandle, open } from "node:fs/promises";
import { z } from "zod";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type {
  CallOptions,
  LoggedPrediction,
  PredictionLogs,
  ReadPredictions,
} from "../../agents/model_deployer/ports.ts";

const lineSchema = z.object({
  x_request_id: z.string().nullable(),
  status: z.int(),
  prediction: z.json(),
  score: z.number().nullable(),
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
 * whose file is gone goes on with the oldest that is kept.
 */
export class BentoMLPredictionLogs implements PredictionLogs {
  readonly #pathOf: (deploymentId: string) => Promise<string>;

  constructor(server: { predictionLogPath(deploymentId: string): Promise<string> }) {
    this.#pathOf = (deploymentId) => server.predictionLogPath(deploymentId);
  }

  async read(deploymentId: string, from: string | null, { signal }: CallOptions): Promise<ReadPredictions> {
    if (signal.aborted) {
      const message = `the deadline passed before the prediction log of ${deploymentId} was read`;
      throw new ServiceUnavailableError("bentoml", message, { cause: signal.reason });
    }
    const files = await openFiles(await this.#pathOf(deploymentId));
    try {
      return await readNext(files, from);
    } finally {
      await Promise.all(files.map(({ handle }) => handle.close()));
    }
  }
}

/** Oldest first. A file that is rotated meanwhile is met once: what is open stays what it is. */
async function openFiles(path: string): Promise<LogFile[]> {
  const files = new Map<string, LogFile>();
  for (const suffix of SUFFIXES) {
    const handle = await open(`${path}${suffix}`, "r").catch((error: unknown) => {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
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

async function readNext(files: readonly LogFile[], from: string | null): Promise<ReadPredictions> {
  let { index, offset } = startAt(files, from);
  for (; index < files.length; index += 1, offset = 0) {
    const file = files[index];
    if (file === undefined) break;
    const { lines, bytes } = await readLines(file, offset);
    const isLast = index === files.length - 1;
    if (bytes > 0 || isLast) {
      return { predictions: lines.flatMap(toPrediction), position: `${file.inode}:${offset + bytes}` };
    }
  }
  return { predictions: [], position: from };
}

/** Without a position, the newest megabyte: what is older has no counterpart that is still awaited. */
function startAt(files: readonly LogFile[], from: string | null): { index: number; offset: number } {
  const last = files.length - 1;
  if (from === null) return { index: Math.max(0, last), offset: newestMegabyte(files[last]) };
  const [inode, bytes = "0"] = from.split(":");
  const index = files.findIndex((file) => file.inode === inode && file.size >= Number(bytes));
  return index === -1 ? { index: 0, offset: 0 } : { index, offset: Number(bytes) };
}

const newestMegabyte = (file: LogFile | undefined): number => Math.max(0, (file?.size ?? 0) - BYTES_AT_ONCE);

/** Whole lines only; the rest of the last one is read when it is whole. */
async function readLines({ handle }: LogFile, offset: number): Promise<{ lines: string[]; bytes: number }> {
  const buffer = Buffer.alloc(BYTES_AT_ONCE);
  const { bytesRead } = await handle.read(buffer, 0, BYTES_AT_ONCE, offset);
  const end = buffer.subarray(0, bytesRead).lastIndexOf(NEWLINE) + 1;
  // A line longer than the buffer would be met for ever: it is passed over.
  if (end === 0) return { lines: [], bytes: bytesRead === BYTES_AT_ONCE ? bytesRead : 0 };
  return { lines: buffer.toString("utf8", 0, end).split("\n"), bytes: end };
}

/** What failed, or came without an id, has nothing to compare; neither has a line that was cut. */
function toPrediction(line: string): LoggedPrediction[] {
  const parsed = lineSchema.safeParse(parseJson(line));
  if (!parsed.success) return [];
  const { x_request_id: request_id, status, prediction, score } = parsed.data;
  return request_id === null || status !== 200 ? [] : [{ request_id, prediction, score }];
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
