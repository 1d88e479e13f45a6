import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../../../src/platform/processes/managed_process.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { hold } from "../harness/checked_property.ts";

const sources = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const clock = new URL("../processes/shifted_clock.ts", import.meta.url).href;

export interface WorkerOptions {
  environment: Record<string, string>;
  /** Takes what it prints, a line of JSON an event. */
  log: string;
  /** Its clock is off by so much. */
  clockOffsetMs?: number;
  /** The command line that is started; from its sources unless told. */
  program?: string;
  /** Modules that it loads before all else. */
  imports?: readonly string[];
}

/** `model-deployer worker` as a person starts it. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  readonly #log: string;

  /** It begins some time later: `hasBegun`. */
  constructor({ environment, log, clockOffsetMs = 0, program = sources, imports = [] }: WorkerOptions) {
    // Its own to write, as a shell's `>` has it: what becomes of the disk becomes of its lines.
    const kept = openSync(log, "w");
    const loaded = [clock, ...imports].flatMap((one) => ["--import", one]);
    this.#child = spawn(process.execPath, [...loaded, program, "--json", "worker"], {
      env: childEnvironment({ ...environment, CLOCK_OFFSET_MS: String(clockOffsetMs) }),
      stdio: ["ignore", kept, kept],
    });
    closeSync(kept);
    this.#log = log;
    this.#exited = once(this.#child, "exit");
  }

  async hasBegun(): Promise<void> {
    const hasSaid = async () => !this.isRunning || (await stat(this.#log)).size > 0;
    await pollUntil(hasSaid, { deadlineMs: 120_000, intervalMs: 50, what: "word of the worker" });
    hold(this.isRunning, () => `the worker ended at once with ${this.#child.exitCode}; see ${this.#log}`);
  }

  get pid(): number {
    return this.#child.pid ?? Number.NaN;
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
