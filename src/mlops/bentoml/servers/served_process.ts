import { rm } from "node:fs/promises";
import { ConfigurationError, MemoryShortError } from "../../../agents/model_deployer/errors.ts";
import type { Isolation, Resources } from "../../../agents/model_deployer/domain/entities.ts";
import { answerSeconds, type LimitsState } from "../../../agents/model_deployer/ports/model_server_port.ts";
import {
  findProcess,
  listProcesses,
  readLogTail,
  startProcess,
  stopProcess,
} from "../../../platform/processes/managed_process.ts";
import { megabytes } from "../../../platform/disk/disk_room.ts";
import { freeMemory, residentMemory } from "../../../platform/processes/memory_room.ts";
import { readProcessAge } from "../../../platform/processes/process_table.ts";
import { LimitedProcesses, type LimitedUsage } from "./limited_processes.ts";
import { countErrorLine, lastErrorLine } from "../log_errors.ts";
import { deploymentOfProcess, processNameOf, ServerFolders } from "./server_folders.ts";
import { type ServeCommand, ServerProgram } from "./server_program.ts";
import type { ServerRecord } from "./server_record.ts";
import type { ServingLimits } from "./serving_limits.ts";

/** Seconds for the process to end by itself, after the time for its requests, before it is killed. */
const END_SECONDS = 5;
const LOG_LINES = 400;

/** The server of a bento for one deployment, as a process that outlives its starter. */
export class ServedProcesses {
  readonly #folders: ServerFolders;
  readonly #program: ServerProgram;
  readonly #requiresIsolation: boolean;
  /** Seconds for requests under way when the server is stopped; no router waits for an answer longer. */
  readonly #graceSeconds: number;

  readonly #freeMemory: () => Promise<number | null>;
  readonly #limited: LimitedProcesses;

  constructor(
    runDirectory: string,
    limits: ServingLimits = {},
    { free = freeMemory, groupParent }: { free?: typeof freeMemory; groupParent?: string } = {},
  ) {
    this.#folders = new ServerFolders(runDirectory);
    this.#limited = new LimitedProcesses(this.#folders.runDirectory, groupParent);
    this.#freeMemory = free;
    this.#requiresIsolation = limits.containment?.isolation === "required";
    this.#graceSeconds = answerSeconds(limits.predictionSeconds) + 1;
    this.#program = new ServerProgram(this.#folders, limits, this.#graceSeconds);
  }

  predictionLogPath(deploymentId: string): string {
    return this.#folders.predictionLogOf(deploymentId);
  }

  /** @throws ConfigurationError where an isolation is required that there is not */
  async start(record: ServerRecord, command: ServeCommand, resources: Resources): Promise<void> {
    const name = processNameOf(record.process);
    const group = await this.#limited.groupFor(name, resources);
    await this.#folders.make(record.process);
    const program = await this.#program.of(record, command, resources, group);
    const workingDirectory = this.#folders.workingOf(record.process);
    await startProcess({ name, runDirectory: this.#folders.runDirectory, workingDirectory, ...program });
  }

  /**
   * A server that has traffic goes on whatever became of the policy; none is put to a new use without what it requires.
   * @throws ConfigurationError where an isolation is required that the running server has not
   */
  async assertContained({ process, deployment_id, bento_tag }: ServerRecord): Promise<void> {
    if (!this.#requiresIsolation) return;
    if ((await this.isolationOf(process)) !== "none") return;
    throw new ConfigurationError(
      `the server of ${deployment_id} runs uncontained, which MODEL_DEPLOYER_ISOLATION=required refuses: start a contained one beside it with model-deployer restart ${deployment_id}, then ask again`,
      { details: { deployment_id, bento_tag } },
    );
  }

  /** The isolation of the running server, by what its process was started with. */
  async isolationOf(deploymentId: string): Promise<Isolation> {
    const found = await this.#find(deploymentId);
    return found === null ? "none" : this.#program.isolationOf(found.pid);
  }

  /** @throws MemoryShortError where so many more like it would have to push it out of memory */
  async assertRoomFor({ process, deployment_id }: ServerRecord, count: number): Promise<void> {
    const [free, held] = await Promise.all([
      this.#freeMemory(),
      residentMemory(this.#folders.runDirectory, processNameOf(process)),
    ]);
    if (free === null || free >= count * held) return;
    const others = count === 1 ? "no other one is" : `no ${count} others are`;
    throw new MemoryShortError(
      `There is memory for one server of ${deployment_id}: it holds ${megabytes(held)} MB and ${megabytes(free)} MB are free, so ${others} started beside it. It goes on as it is; free memory, or remove a server that nobody needs, and try again.`,
      { details: { deployment_id, held_bytes: held, free_bytes: free } },
    );
  }

  /** Null where it does not run. */
  usage(process: string): Promise<LimitedUsage | null> {
    return this.#limited.usage(processNameOf(process));
  }

  /** Holds a server that runs to these limits from now on. */
  async limit(process: string, resources: Resources): Promise<void> {
    await this.#limited.limit(processNameOf(process), resources);
  }

  /** The limits that the server was held to when it ran last; null where that is not known. */
  lastLimits(process: string): Promise<Resources | null> {
    return this.#limited.lastLimits(processNameOf(process));
  }

  /** Whether servers that are started here are held to limits. */
  limits(): Promise<LimitsState> {
    return this.#limited.state();
  }

  async isRunning(deploymentId: string): Promise<boolean> {
    return (await this.#find(deploymentId)) !== null;
  }

  /** Whether it runs, and was started with what one that is started now would be started with. */
  async isServedAsNow(deploymentId: string): Promise<boolean> {
    const found = await this.#find(deploymentId);
    return found !== null && (await this.#program.isAsNow(found.pid));
  }

  /** Milliseconds since the process was started, whatever became of the clock; null when it has ended. */
  async ageMs(deploymentId: string): Promise<number | null> {
    const found = await this.#find(deploymentId);
    const seconds = found === null ? null : await readProcessAge(found.pid);
    return seconds === null ? null : seconds * 1000;
  }

  /** Ends the server with all its workers and removes its home; the logs stay. Idempotent. */
  async stop(deploymentId: string, graceMs = (this.#graceSeconds + END_SECONDS) * 1000): Promise<void> {
    const name = processNameOf(deploymentId);
    await stopProcess(this.#folders.runDirectory, name, { graceMs, leaderSignal: "SIGTERM" });
    await rm(this.#folders.homeOf(deploymentId), { recursive: true, force: true, maxRetries: 3 });
    await this.#limited.remove(name);
  }

  async list(): Promise<string[]> {
    const processes = await listProcesses(this.#folders.runDirectory);
    return processes.flatMap(({ name }) => deploymentOfProcess(name) ?? []);
  }

  /** The last error in the log of the present start, and how often it stands there; null when there is none. */
  async lastError(deploymentId: string): Promise<{ line: string; count: number } | null> {
    const log = await readLogTail(this.#folders.runDirectory, processNameOf(deploymentId), LOG_LINES);
    const line = lastErrorLine(log);
    return line === null ? null : { line, count: countErrorLine(log, line) };
  }

  #find(deploymentId: string) {
    return findProcess(this.#folders.runDirectory, processNameOf(deploymentId));
  }
}
