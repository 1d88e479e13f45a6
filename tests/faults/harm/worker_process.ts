import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../../../src/platform/managed_process.ts";

const program = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const clock = new URL("../processes/shifted_clock.ts", import.meta.url).href;

export interface WorkerOptions {
  environment: Record<string, string>;
  /** Takes what it prints, a line of JSON an event. */
  log: string;
  /** Its clock is off by so much. */
  clockOffsetMs?: number;
}

/** `model-deployer worker` as a person starts it. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  readonly pid: number;

  private constructor(child: ChildProcess, pid: number) {
    this.#child = child;
    this.pid = pid;
    this.#exited = once(child, "exit");
  }

  static async start({ environment, log, clockOffsetMs = 0 }: WorkerOptions): Promise<WorkerProcess> {
    const child = spawn(process.execPath, ["--import", clock, program, "--json", "worker"], {
      env: childEnvironment({ ...environment, CLOCK_OFFSET_MS: String(clockOffsetMs) }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kept = createWriteStream(log, { flags: "a" });
    child.stdout.pipe(kept, { end: false });
    child.stderr.pipe(kept, { end: false });
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    if (child.exitCode !== null || child.pid === undefined) {
      throw new TypeError(`the worker ended at once with ${child.exitCode}; see ${log}`);
    }
    return new WorkerProcess(child, child.pid);
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** As a supervisor ends it. */
  async end(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#exited;
  }
}
