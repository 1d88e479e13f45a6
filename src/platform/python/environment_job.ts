import { mkdir, readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { TIED_VARIABLE } from "../processes/child_environment.ts";
import { findProcess, startProcess } from "../processes/managed_process.ts";
import { recordPath } from "../processes/process_record.ts";
import { readProgress, sentenceOfProgress, type WorkProgress } from "../work/work_progress.ts";

export interface EnvironmentJob {
  /** The environment's folder; its name is also the job's. */
  directory: string;
  /** The folder's purpose, for people. */
  purpose: string;
  commands: string[][];
  /** Commands whose failure does not fail the job. */
  warmUp: string[][];
  /** The command whose output becomes the marker of a complete folder. */
  probe: string[];
  python: string;
  env: Record<string, string>;
  limitSeconds: number;
}

export interface WaitOptions {
  /** Called with a sentence when the job begins something new, and now and then while it goes on with the same. */
  onProgress?: (line: string) => void;
  /** Ends the wait; the job goes on. */
  signal?: AbortSignal;
}

const jobProgram = fileURLToPath(new URL("./environment_job/", import.meta.url));
const POLL_MS = 100;
const REPEATED_AFTER_MS = 10_000;
/** How often one caller begins a job again that was killed from outside. */
const STARTS = 3;

/** @returns the marker of the complete folder, or how the job ended without one. */
export async function finishedEnvironment(
  job: EnvironmentJob,
  options: WaitOptions,
): Promise<{ marker: string } | { failed: WorkProgress }> {
  const marker = join(job.directory, "complete.json");
  const teller = new Teller(options);
  for (let start = 1; start <= STARTS; start += 1) {
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
    `${job.purpose} was ended from outside ${STARTS} times: ask again`,
  );
}

/** The job goes on when whoever asked for it is cut off or killed; whoever asks meanwhile finds it. */
async function begin(job: EnvironmentJob): Promise<number> {
  const { directory, purpose, commands, warmUp, probe, limitSeconds } = job;
  const { runDirectory, name } = placeOf(job);
  await mkdir(dirname(directory), { recursive: true });
  const described = JSON.stringify({
    purpose,
    commands,
    warm_up: warmUp,
    probe,
    limit_seconds: limitSeconds,
    record: recordPath(runDirectory, name),
  });
  const { pid } = await startProcess({
    runDirectory,
    name,
    command: job.python,
    args: ["-I", "-B", jobProgram, directory, described],
    // Others may wait for it, too.
    env: { ...job.env, [TIED_VARIABLE]: "" },
    workingDirectory: dirname(directory),
  });
  return pid;
}

/** The job's outcome; null when it was killed before it wrote one. */
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
    await delay(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

/** Why a job ended without its folder. */
export function reasonOf({ state, limit_seconds, last_lines }: WorkProgress): string {
  const said = last_lines.length === 0 ? "the installer said nothing" : last_lines.join("\n");
  if (state !== "cut") return said;
  return (
    `not done within MODEL_DEPLOYER_ENVIRONMENT_SECONDS=${limit_seconds}; raise it and ask again, ` +
    `and it goes on with what is downloaded. The installer's last words:\n${said}`
  );
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
  #reportedAt = 0;

  constructor(options: WaitOptions) {
    this.#options = options;
  }

  tell(progress: WorkProgress): void {
    const now = performance.now();
    // A sentence that differs only in its numbers, such as MiB, is not about something new.
    const about = progress.doing.replace(/\d+/g, "");
    if (about === this.#said && now - this.#reportedAt < REPEATED_AFTER_MS) return;
    this.#said = about;
    this.#reportedAt = now;
    this.#options.onProgress?.(`${progress.what}: ${sentenceOfProgress(progress)}`);
  }
}

async function readOrNull(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}
