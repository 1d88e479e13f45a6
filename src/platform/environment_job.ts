import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import { findProcess, startProcess } from "./managed_process.ts";
import { readProgress, sentenceOfProgress, type WorkProgress } from "./work_progress.ts";

export interface EnvironmentJob {
  /** Its name names the job too. */
  directory: string;
  /** For people: what the folder is for. */
  purpose: string;
  commands: string[][];
  /** Commands whose failure is none. */
  warmUp: string[][];
  /** Its output becomes the marker of the whole folder. */
  probe: string[];
  python: string;
  env: Record<string, string>;
  limitSeconds: number;
}

export interface WaitOptions {
  /** Called with a sentence whenever it is about something new, and now and then while it is about the same. */
  onProgress?: (line: string) => void;
  /** Ends the waiting; the job goes on. */
  signal?: AbortSignal;
}

const jobScript = fileURLToPath(new URL("./environment_job.py", import.meta.url));
const pollMs = 100;
const toldAgainMs = 10_000;
/** A job that was killed from outside is begun again so often for one asker. */
const starts = 3;

/** @returns the marker of the whole folder, or how the job ended without one. */
export async function finishedEnvironment(
  job: EnvironmentJob,
  options: WaitOptions,
): Promise<{ marker: string } | { failed: WorkProgress }> {
  const marker = join(job.directory, "complete.json");
  const teller = new Teller(options);
  for (let start = 1; start <= starts; start += 1) {
    const present = await readOrNull(marker);
    if (present !== null) return { marker: present };
    const began = await begin(job);
    const ended = await jobEnd(job, began, teller, options.signal);
    const made = await readOrNull(marker);
    if (made !== null) return { marker: made };
    if (ended !== null) return { failed: ended };
  }
  throw new ServiceUnavailableError(
    "python packages",
    `${job.purpose} was ended from outside ${starts} times: ask again`,
  );
}

/** The job goes on when whoever asked for it is cut off or killed; whoever asks meanwhile finds it. */
async function begin(job: EnvironmentJob): Promise<number> {
  const { directory, purpose, commands, warmUp, probe, limitSeconds } = job;
  await mkdir(dirname(directory), { recursive: true });
  const described = JSON.stringify({
    purpose,
    commands,
    warm_up: warmUp,
    probe,
    limit_seconds: limitSeconds,
  });
  const { pid } = await startProcess({
    ...placeOf(job),
    command: job.python,
    args: ["-I", jobScript, directory, described],
    env: job.env,
    workingDirectory: dirname(directory),
  });
  return pid;
}

/** How it ended; null when it was killed before it could say so. */
async function jobEnd(
  job: EnvironmentJob,
  began: number,
  teller: Teller,
  signal: AbortSignal | undefined,
): Promise<WorkProgress | null> {
  const { runDirectory, name } = placeOf(job);
  for (let pid = began; ;) {
    const running = await findProcess(runDirectory, name);
    pid = running?.pid ?? pid;
    const progress = await readProgress(dirname(job.directory), basename(job.directory));
    const current = progress?.pid === pid ? progress : null;
    if (current !== null && current.state !== "running") return current;
    if (running === null) return null;
    if (current !== null) teller.tell(current);
    if (signal?.aborted === true) throw stillUnderWay(job.purpose, current, signal);
    await delay(pollMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

function placeOf({ directory }: EnvironmentJob): { runDirectory: string; name: string } {
  return { runDirectory: join(dirname(directory), "jobs"), name: basename(directory) };
}

function stillUnderWay(purpose: string, progress: WorkProgress | null, { reason }: AbortSignal) {
  const far = progress === null ? "it has just begun" : sentenceOfProgress(progress);
  const message = `${purpose} is not ready yet: ${far}. It goes on; the same request finds it.`;
  return new ServiceUnavailableError("python packages", message, { cause: reason });
}

class Teller {
  readonly #options: WaitOptions;
  #said = "";
  #saidAt = 0;

  constructor(options: WaitOptions) {
    this.#options = options;
  }

  tell(progress: WorkProgress): void {
    const now = performance.now();
    // What is counted only, such as MiB, is no news.
    const about = progress.doing.replace(/\d+/g, "");
    if (about === this.#said && now - this.#saidAt < toldAgainMs) return;
    this.#said = about;
    this.#saidAt = now;
    this.#options.onProgress?.(`${progress.what}: ${sentenceOfProgress(progress)}`);
  }
}

async function readOrNull(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}
