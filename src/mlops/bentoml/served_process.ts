import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { answerSeconds } from "../../agents/model_deployer/ports.ts";
import type { LogBounds } from "../../platform/bounded_log.ts";
import {
  childEnvironment,
  findProcess,
  listProcesses,
  logPath,
  readLogTail,
  startProcess,
  stopProcess,
} from "../../platform/managed_process.ts";
import { readProcessAge } from "../../platform/process_table.ts";
import { countErrorLine, lastErrorLine } from "./log_errors.ts";
import { assertDeploymentId, type ServerRecord } from "./server_record.ts";

export interface ServeCommand {
  /** The `bentoml` program of the model's own environment. */
  bentoml: string;
  bentoPath: string;
}

/** What a server started from now on keeps to; what is not given is as `serving_limits.py` has it. */
export interface ServingLimits {
  predictionThreads?: number;
  /** Requests that may wait behind those threads. */
  predictionQueue?: number;
  /** From a whole request to its answer. */
  predictionSeconds?: number;
  /** For a request's body to arrive. */
  bodySeconds?: number;
  logs?: LogBounds;
}

const prefix = "bento-";
// BentoML's workers get their graceful time, then its arbiter ends, then the rest is killed.
const arbiterSeconds = 5;
const logLines = 400;

/** `bentoml serve` for one deployment, as a process that outlives its starter. */
export class ServedProcesses {
  readonly #runDirectory: string;
  readonly #limits: ServingLimits;
  /** For requests under way when the server is stopped; a router waits for none of them any longer. */
  readonly #graceSeconds: number;

  constructor(runDirectory: string, limits: ServingLimits = {}) {
    this.#runDirectory = resolve(runDirectory);
    this.#limits = limits;
    this.#graceSeconds = answerSeconds(limits.predictionSeconds) + 1;
  }

  predictionLogPath(deploymentId: string): string {
    return join(this.#runDirectory, "predictions", `${assertDeploymentId(deploymentId)}.jsonl`);
  }

  async start(record: ServerRecord, command: ServeCommand): Promise<void> {
    const home = this.#homeOf(record.process);
    const temporary = join(home, "tmp");
    const working = join(home, "work");
    await Promise.all([
      mkdir(temporary, { recursive: true }),
      mkdir(working, { recursive: true }),
      mkdir(join(this.#runDirectory, "predictions"), { recursive: true }),
    ]);
    await startProcess({
      name: nameOf(record.process),
      runDirectory: this.#runDirectory,
      command: command.bentoml,
      args: [
        "serve",
        resolve(command.bentoPath),
        ...["--host", "127.0.0.1", "--port", String(record.port)],
        ...["--timeout-graceful-shutdown", String(this.#graceSeconds)],
      ],
      env: childEnvironment({
        // Each start wipes the metrics folder of its home, so no two servers may share one.
        BENTOML_HOME: home,
        TMPDIR: temporary,
        BENTOML_DO_NOT_TRACK: "True",
        MLFLOW_DISABLE_TELEMETRY: "true",
        PYTHONUNBUFFERED: "1",
        // Rows come one by one: threads inside a prediction only compete with other predictions.
        OMP_NUM_THREADS: "1",
        OPENBLAS_NUM_THREADS: "1",
        MKL_NUM_THREADS: "1",
        MODEL_DEPLOYER_DEPLOYMENT_ID: record.process,
        MODEL_DEPLOYER_PREDICTION_LOG: this.predictionLogPath(record.process),
        MODEL_DEPLOYER_PROCESS_LOG: logPath(this.#runDirectory, nameOf(record.process)),
        MODEL_DEPLOYER_WORKING_DIRECTORY: working,
        ...limitsEnvironment(this.#limits),
      }),
    });
  }

  async isRunning(deploymentId: string): Promise<boolean> {
    return (await findProcess(this.#runDirectory, nameOf(deploymentId))) !== null;
  }

  /** Milliseconds since the process was started, whatever became of the clock; null when it has ended. */
  async ageMs(deploymentId: string): Promise<number | null> {
    const found = await findProcess(this.#runDirectory, nameOf(deploymentId));
    const seconds = found === null ? null : await readProcessAge(found.pid);
    return seconds === null ? null : seconds * 1000;
  }

  /** Ends the server with all its workers and removes its home; the logs stay. Idempotent. */
  async stop(deploymentId: string, graceMs = (this.#graceSeconds + arbiterSeconds) * 1000): Promise<void> {
    await stopProcess(this.#runDirectory, nameOf(deploymentId), { graceMs, leaderSignal: "SIGTERM" });
    await rm(this.#homeOf(deploymentId), { recursive: true, force: true, maxRetries: 3 });
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

  #homeOf(deploymentId: string): string {
    return join(this.#runDirectory, "homes", assertDeploymentId(deploymentId));
  }
}

function limitsEnvironment(limits: ServingLimits): Record<string, string> {
  const given = {
    PREDICTION_THREADS: limits.predictionThreads,
    PREDICTION_QUEUE: limits.predictionQueue,
    PREDICTION_SECONDS: limits.predictionSeconds,
    BODY_SECONDS: limits.bodySeconds,
    LOG_BYTES: limits.logs?.bytes,
    LOG_FILES: limits.logs?.files,
  };
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      value === undefined ? [] : [[`MODEL_DEPLOYER_${name}`, String(value)]],
    ),
  );
}

function nameOf(deploymentId: string): string {
  return `${prefix}${assertDeploymentId(deploymentId)}`;
}
