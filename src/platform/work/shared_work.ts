import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { withFileLock } from "../processes/file_lock.ts";
import { readProcess } from "../processes/process_table.ts";
import { progressPath, readProgress, sentenceOfProgress, type WorkProgress } from "./work_progress.ts";

export interface SharedWork {
  /** Only one process at a time works under this name in this folder. */
  directory: string;
  name: string;
  /** For people: `the artifact models:/m-1`. */
  what: string;
  limitSeconds: number;
  /** The variable that sets the limit. */
  setting: string;
}

interface Waiting {
  /** Ends the wait for another process; the work itself has to listen to its own signal. */
  signal: AbortSignal;
  /** Called with a sentence at the beginning and now and then after that. */
  onProgress?: (line: string) => void;
}

const WRITTEN_EVERY_MS = 500;
const REPORTED_EVERY_MS = 10_000;

/**
 * Runs work that takes long, one process at a time, and reports its progress: to the caller, to those who wait for the
 * same work, and in `<name>.progress.json` to everybody else.
 * @param work is given a function to call with its progress
 * @throws ServiceUnavailableError when the wait for another process was cut or took longer than the limit, and whatever `work` raises
 */
export async function withSharedWork<T>(
  shared: SharedWork,
  waiting: Waiting,
  work: (tell: (doing: string) => void) => Promise<T>,
): Promise<T> {
  const { directory, name, what, limitSeconds, setting } = shared;
  const throttled = new ThrottledProgress(what, waiting);
  const look = setInterval(() => void readProgress(directory, name).then((one) => throttled.say(one)), 1000);
  const over = AbortSignal.timeout(limitSeconds * 1000);
  const lock = { signal: AbortSignal.any([waiting.signal, over]) };
  try {
    return await withFileLock(join(directory, ".locks", name), lock, async () => {
      clearInterval(look);
      const progress = await Progress.begin(shared, throttled);
      try {
        return await work((doing) => progress.tell(doing));
      } finally {
        await progress.end();
      }
    });
  } catch (error) {
    if (error === over.reason) {
      const message = `${what} has been in the making by another process for all of ${setting}=${limitSeconds} here: ${throttled.last}. It goes on there; ask again later, or raise the limit.`;
      throw new ServiceUnavailableError("lock", message, { cause: error });
    }
    if (error !== waiting.signal.reason) throw error;
    throw new ServiceUnavailableError(
      "lock",
      `${what} is being made by another process: ${throttled.last}.`,
      {
        cause: error,
      },
    );
  } finally {
    clearInterval(look);
  }
}

/** Hands the progress to the caller, at most once every `REPORTED_EVERY_MS`. */
class ThrottledProgress {
  readonly #what: string;
  readonly #onProgress: Waiting["onProgress"];
  #reportedAt = -Infinity;
  last = "nothing is known of how far it is";

  constructor(what: string, { onProgress }: Waiting) {
    this.#what = what;
    this.#onProgress = onProgress;
  }

  say(progress: WorkProgress | null): void {
    if (progress === null) return;
    this.last = sentenceOfProgress(progress);
    if (performance.now() - this.#reportedAt < REPORTED_EVERY_MS) return;
    this.#reportedAt = performance.now();
    this.#onProgress?.(`${this.#what}: ${this.last}`);
  }
}

type Fixed = Pick<WorkProgress, "what" | "limit_seconds" | "pid" | "start_time">;

/** Writes the progress file, atomically; a failure to write it does not stop the work. */
class Progress {
  readonly #path: string;
  readonly #throttled: ThrottledProgress;
  readonly #fixed: Fixed;
  readonly #beganAt = performance.now();
  #writtenAt = -Infinity;
  #writing: Promise<void> = Promise.resolve();

  static async begin(
    { directory, name, what, limitSeconds }: SharedWork,
    throttled: ThrottledProgress,
  ): Promise<Progress> {
    await mkdir(directory, { recursive: true });
    const start_time = (await readProcess(process.pid))?.start_time ?? "";
    const fixed = { what, limit_seconds: limitSeconds, pid: process.pid, start_time };
    return new Progress(progressPath(directory, name), fixed, throttled);
  }

  private constructor(path: string, fixed: Fixed, throttled: ThrottledProgress) {
    this.#path = path;
    this.#fixed = fixed;
    this.#throttled = throttled;
  }

  tell(doing: string): void {
    if (performance.now() - this.#writtenAt < WRITTEN_EVERY_MS) return;
    this.#writtenAt = performance.now();
    const seconds = Math.round((performance.now() - this.#beganAt) / 100) / 10;
    const progress = { ...this.#fixed, state: "running" as const, doing, seconds, last_lines: [] };
    this.#throttled.say(progress);
    this.#writing = this.#writing.then(() => this.#write(progress)).catch(() => undefined);
  }

  async #write(progress: WorkProgress): Promise<void> {
    const scratch = `${this.#path}.${process.pid}`;
    await writeFile(scratch, JSON.stringify(progress), { mode: 0o600 });
    await rename(scratch, this.#path);
  }

  async end(): Promise<void> {
    await this.#writing;
    await rm(this.#path, { force: true });
  }
}
