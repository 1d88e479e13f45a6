import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ConfigurationError, MemoryShortError } from "../../../agents/model_deployer/errors.ts";
import type { Isolation, Resources } from "../../../agents/model_deployer/domain/entities.ts";
import { answerSeconds, type LimitsState } from "../../../agents/model_deployer/ports/model_server_port.ts";
import {
  childEnvironment,
  findProcess,
  listProcesses,
  logPath,
  readLogTail,
  startProcess,
  stopProcess,
} from "../../../platform/processes/managed_process.ts";
import { megabytes } from "../../../platform/disk/disk_room.ts";
import { freeMemory, residentMemory } from "../../../platform/processes/memory_room.ts";
import { hasEnvironment, readProcessAge } from "../../../platform/processes/process_table.ts";
import { threadsEnvironment } from "../../threads_environment.ts";
import { contained, isolationFor } from "../../../platform/containment/containment.ts";
import type { ModelEnvironment } from "../../../platform/python/python_environment.ts";
import { LimitedProcesses, type LimitedUsage } from "./limited_processes.ts";
import { countErrorLine, lastErrorLine } from "../log_errors.ts";
import { assertDeploymentId, type ServerRecord } from "./server_record.ts";
import { limitsEnvironment, type ServingLimits } from "./serving_limits.ts";

export interface ServeCommand {
  /** The programs of the model's own environment. */
  environment: ModelEnvironment;
  bentoPath: string;
}

const isolationVariable = "MODEL_DEPLOYER_ISOLATION";
/** Tells servers apart that were started under other settings. */
const settingsVariable = "MODEL_DEPLOYER_SETTINGS_DIGEST";
const host = "127.0.0.1";
const prefix = "bento-";
/** Seconds for the process to end by itself, after the time for its requests, before it is killed. */
const endSeconds = 5;
const logLines = 400;

/** The server of a bento for one deployment, as a process that outlives its starter. */
export class ServedProcesses {
  readonly #runDirectory: string;
  readonly #limits: ServingLimits;
  /** Seconds for requests under way when the server is stopped; no router waits for an answer longer. */
  readonly #graceSeconds: number;

  readonly #freeMemory: () => Promise<number | null>;
  readonly #limited: LimitedProcesses;

  constructor(
    runDirectory: string,
    limits: ServingLimits = {},
    { free = freeMemory, groupParent }: { free?: typeof freeMemory; groupParent?: string } = {},
  ) {
    this.#limited = new LimitedProcesses(resolve(runDirectory), groupParent);
    this.#runDirectory = resolve(runDirectory);
    this.#freeMemory = free;
    this.#limits = limits;
    this.#graceSeconds = answerSeconds(limits.predictionSeconds) + 1;
  }

  predictionLogPath(deploymentId: string): string {
    const folder = this.#predictionsOf(deploymentId);
    // A server that an earlier version started goes on in the file that it has.
    const former = `${folder}.jsonl`;
    return existsSync(former) && !existsSync(folder) ? former : join(folder, "predictions.jsonl");
  }

  async start(record: ServerRecord, command: ServeCommand, resources: Resources): Promise<void> {
    const group = await this.#limited.groupFor(nameOf(record.process), resources);
    const home = this.#homeOf(record.process);
    const temporary = join(home, "tmp");
    const working = join(home, "work");
    await Promise.all([
      mkdir(temporary, { recursive: true }),
      mkdir(working, { recursive: true }),
      mkdir(this.#predictionsOf(record.process), { recursive: true }),
    ]);
    const { program, isolation } = await this.#contained(record, command, home);
    await startProcess({
      name: nameOf(record.process),
      runDirectory: this.#runDirectory,
      workingDirectory: working,
      ...program,
      env: childEnvironment({
        HOME: home,
        [isolationVariable]: isolation,
        [settingsVariable]: this.#settingsDigest(),
        // `bentoml serve` wipes the metrics folder of its home, so no two servers may share one.
        BENTOML_HOME: home,
        TMPDIR: temporary,
        BENTOML_DO_NOT_TRACK: "True",
        MLFLOW_DISABLE_TELEMETRY: "true",
        PYTHONUNBUFFERED: "1",
        ...threadsEnvironment(resources.cpu_limit, availableParallelism()),
        MODEL_DEPLOYER_DEPLOYMENT_ID: record.process,
        ...(record.secret !== undefined && { MODEL_DEPLOYER_SERVER_SECRET: record.secret }),
        MODEL_DEPLOYER_PREDICTION_LOG: this.predictionLogPath(record.process),
        MODEL_DEPLOYER_PROCESS_LOG: logPath(this.#runDirectory, nameOf(record.process)),
        MODEL_DEPLOYER_FORMER_LOGS: isolation === "none" ? this.#runDirectory : home,
        MODEL_DEPLOYER_WORKING_DIRECTORY: working,
        ...limitsEnvironment(this.#limits),
        ...("processes" in group && { MODEL_DEPLOYER_GROUP_PROCESSES: group.processes }),
      }),
    });
  }

  /**
   * The server sees its bento, its environment, a scratch folder and its own logs. A bento without a runner of its own
   * needs sockets that a contained one has not.
   * @throws ConfigurationError where an isolation is required that there is not
   */
  async #contained(record: ServerRecord, command: ServeCommand, home: string) {
    const program = this.#program(record, command);
    const { containment } = this.#limits;
    if (containment === undefined) return { program, isolation: "none" };
    const isolation = await isolationFor(containment);
    const isOld = program.command !== command.environment.python;
    if (isolation === "none" || (isOld && containment.isolation !== "required"))
      return { program, isolation: "none" };
    if (isOld) {
      throw new ConfigurationError(
        `${record.bento_tag} was made by an earlier version and cannot be contained, which MODEL_DEPLOYER_ISOLATION=required asks for: register its run again`,
      );
    }
    const log = logPath(this.#runDirectory, nameOf(record.process));
    const needs = {
      read: [resolve(command.bentoPath), dirname(dirname(command.environment.python))],
      write: [home, this.#predictionsOf(record.process), log],
      port: record.port,
    };
    await compileService(command);
    return { program: await contained(program, needs, containment), isolation };
  }

  /**
   * A server that has traffic goes on whatever became of the policy; none is put to a new use without what it requires.
   * @throws ConfigurationError where an isolation is required that the running server has not
   */
  async assertContained({ process, deployment_id, bento_tag }: ServerRecord): Promise<void> {
    if (this.#limits.containment?.isolation !== "required") return;
    if ((await this.isolationOf(process)) !== "none") return;
    throw new ConfigurationError(
      `the server of ${deployment_id} runs uncontained, which MODEL_DEPLOYER_ISOLATION=required refuses: start a contained one beside it with model-deployer restart ${deployment_id}, then ask again`,
      { details: { deployment_id, bento_tag } },
    );
  }

  /** The isolation of the running server, by what its process was started with. */
  async isolationOf(deploymentId: string): Promise<Isolation> {
    const found = await findProcess(this.#runDirectory, nameOf(deploymentId));
    const isContained = found !== null && (await hasEnvironment(found.pid, `${isolationVariable}=landlock`));
    return isContained ? "landlock" : "none";
  }

  /** The bento's own `serve.py`; `bentoml serve`, which costs more, for a bento that has none. */
  #program(record: ServerRecord, { environment, bentoPath }: ServeCommand) {
    const port = String(record.port);
    const grace = String(this.#graceSeconds);
    const runner = join(resolve(bentoPath), "src", "serve.py");
    if (existsSync(runner)) return { command: environment.python, args: [runner, host, port, grace] };
    const address = ["--host", host, "--port", port];
    const args = ["serve", resolve(bentoPath), ...address, "--timeout-graceful-shutdown", grace];
    return { command: environment.bentoml, args };
  }

  /** @throws MemoryShortError where so many more like it would have to push it out of memory */
  async assertRoomFor({ process, deployment_id }: ServerRecord, count: number): Promise<void> {
    const [free, held] = await Promise.all([
      this.#freeMemory(),
      residentMemory(this.#runDirectory, nameOf(process)),
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
    return this.#limited.usage(nameOf(process));
  }

  /** Holds a server that runs to these limits from now on. */
  async limit(process: string, resources: Resources): Promise<void> {
    await this.#limited.limit(nameOf(process), resources);
  }

  /** What the server was held to when it ran last; null where that is not known. */
  lastLimits(process: string): Promise<Resources | null> {
    return this.#limited.lastLimits(nameOf(process));
  }

  /** Whether servers that are started here are held to limits. */
  limits(): Promise<LimitsState> {
    return this.#limited.state();
  }

  async isRunning(deploymentId: string): Promise<boolean> {
    return (await findProcess(this.#runDirectory, nameOf(deploymentId))) !== null;
  }

  /** Whether it runs, and was started with what one that is started now would be started with. */
  async isServedAsNow(deploymentId: string): Promise<boolean> {
    const found = await findProcess(this.#runDirectory, nameOf(deploymentId));
    return (
      found !== null && (await hasEnvironment(found.pid, `${settingsVariable}=${this.#settingsDigest()}`))
    );
  }

  #settingsDigest(): string {
    const { containment = null } = this.#limits;
    const settings = { ...limitsEnvironment(this.#limits), containment, grace: this.#graceSeconds };
    return createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 16);
  }

  /** Milliseconds since the process was started, whatever became of the clock; null when it has ended. */
  async ageMs(deploymentId: string): Promise<number | null> {
    const found = await findProcess(this.#runDirectory, nameOf(deploymentId));
    const seconds = found === null ? null : await readProcessAge(found.pid);
    return seconds === null ? null : seconds * 1000;
  }

  /** Ends the server with all its workers and removes its home; the logs stay. Idempotent. */
  async stop(deploymentId: string, graceMs = (this.#graceSeconds + endSeconds) * 1000): Promise<void> {
    await stopProcess(this.#runDirectory, nameOf(deploymentId), { graceMs, leaderSignal: "SIGTERM" });
    await rm(this.#homeOf(deploymentId), { recursive: true, force: true, maxRetries: 3 });
    await this.#limited.remove(nameOf(deploymentId));
  }

  async list(): Promise<string[]> {
    const processes = await listProcesses(this.#runDirectory);
    return processes
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name }) => name.slice(prefix.length));
  }

  /** The last error in the log of the present start, and how often it stands there; null when there is none. */
  async lastError(deploymentId: string): Promise<{ line: string; count: number } | null> {
    const log = await readLogTail(this.#runDirectory, nameOf(deploymentId), logLines);
    const line = lastErrorLine(log);
    return line === null ? null : { line, count: countErrorLine(log, line) };
  }

  #predictionsOf(deploymentId: string): string {
    return join(this.#runDirectory, "predictions", assertDeploymentId(deploymentId));
  }

  #homeOf(deploymentId: string): string {
    return join(this.#runDirectory, "homes", assertDeploymentId(deploymentId));
  }
}

/**
 * Compiles the service's own modules once: a contained server cannot write beside them, and would at each start. Where
 * that fails it compiles them for itself.
 */
async function compileService({ environment, bentoPath }: ServeCommand): Promise<void> {
  const service = join(resolve(bentoPath), "src", "model_deployer_serving");
  if (existsSync(join(service, "__pycache__"))) return;
  const args = ["-I", "-S", "-m", "compileall", "-q", service];
  const { execa } = await import("execa");
  await execa(environment.python, args, { env: childEnvironment(), extendEnv: false, reject: false });
}

function nameOf(deploymentId: string): string {
  return `${prefix}${assertDeploymentId(deploymentId)}`;
}
