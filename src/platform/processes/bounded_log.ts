import { createReadStream, createWriteStream } from "node:fs";
import { open, readdir, rename, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { isMissing } from "../system_errors.ts";

export interface LogBounds {
  /** The size in bytes above which a log is rotated to `.1`, the former `.1` to `.2`, and so on. */
  bytes: number;
  /** How many rotated files are kept beside the log. */
  files: number;
}

export const defaultLogBounds: LogBounds = { bytes: 8 * 1024 * 1024, files: 3 };

const TAIL_BYTES = 256 * 1024;
const LOOK_MS = 1000;

/** The last lines of a file, of its last 256 KiB at most, without a trailing newline; empty when there is none. */
export async function readTail(path: string, lines: number): Promise<string> {
  const handle = await open(path, "r").catch(() => null);
  if (handle === null) return "";
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
    return buffer.toString("utf8", 0, bytesRead).trimEnd().split("\n").slice(-lines).join("\n");
  } finally {
    await handle.close();
  }
}

/**
 * Empties a log that outgrew its bound, and keeps its newest bytes as `<path>.1`. It stays the same file, since the process
 * that writes to it, at its end, holds it open. Where the copy cannot be written the log is emptied all the same.
 */
export async function boundLog(path: string, { bytes, files }: LogBounds): Promise<void> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size <= bytes) return;
  try {
    for (let number = files - 1; number > 0; number -= 1) {
      await rename(`${path}.${number}`, `${path}.${number + 1}`).catch(ignoreMissing);
    }
    if (files > 0) {
      // Bounded, since the writer may append without end while the copy is made.
      const newest = createReadStream(path, { start: size - bytes, end: size - 1 });
      await pipeline(newest, createWriteStream(`${path}.1`, { mode: 0o600 }));
    }
  } finally {
    await truncate(path);
  }
}

export interface KeptLogs {
  /** The folders whose `*.log` files are checked each second. */
  folders: () => Promise<string[]>;
  bounds: LogBounds;
  /** Called once for a problem, however long it lasts. */
  onProblem: (problem: string) => void;
}

/** Bounds the logs until the returned function is called, which resolves when the last check is over. */
export function startBoundingLogs(kept: KeptLogs): () => Promise<void> {
  const ending = new AbortController();
  const looking = lookUntil(kept, ending.signal);
  return async () => {
    ending.abort();
    await looking;
  };
}

async function lookUntil({ folders, bounds, onProblem }: KeptLogs, signal: AbortSignal): Promise<void> {
  let told: string | null = null;
  while (!signal.aborted) {
    let problem: string | null = null;
    try {
      for (const folder of await folders()) {
        for (const name of await logsIn(folder)) await boundLog(join(folder, name), bounds);
      }
    } catch (error) {
      problem = `a log cannot be kept within its bound: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (problem !== null && problem !== told) onProblem(problem);
    told = problem;
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

async function logsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => name.endsWith(".log"));
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
