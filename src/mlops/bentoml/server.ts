import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { Resources } from "../../agents/model_deployer/domain/entities.ts";
import type { CallOptions, ModelServer, ServerObservation } from "../../agents/model_deployer/ports.ts";
import { ensureModelEnvironment } from "../../platform/python_environment.ts";
import { BentoStore, type StoredBento } from "./bento_store.ts";
import { assertBuiltFiles } from "./built_files.ts";
import { parseBentoTag } from "./bento_tag.ts";
import { becomesFree, findFreePort } from "./free_port.ts";
import { ReadinessProbe } from "./readiness_probe.ts";
import { ServedProcesses } from "./served_process.ts";
import { ServerRecords, type ServerRecord } from "./server_record.ts";

export interface BentoMLServerOptions {
  /** Where the packager keeps its bentos. */
  home: string;
  /** For process records, logs, prediction logs and each server's own BENTOML_HOME. */
  runDirectory: string;
  /** For the environments made from the models' requirements. */
  cacheDirectory: string;
  /** The `uv` program of the tools environment. */
  uv: string;
  /** For making a model's environment, `MODEL_DEPLOYER_ENVIRONMENT_SECONDS`; an hour unless given. */
  environmentSeconds?: number;
  /** From the start of the process until it must be ready; 90 s unless given. Making an environment does not count. */
  startTimeoutMs?: number;
  /** Threads that predict in one server; 8 unless given. */
  predictionThreads?: number;
  /** Lines for people, of what takes long. */
  onProgress?: (line: string) => void;
}

export interface StartInput {
  deployment_id: string;
  bento_tag: string;
  resources: Resources;
}

type WaitOutcome =
  { state: "ready" } | { state: "port_taken"; reason: string } | { state: "failed"; reason: string };

const host = "127.0.0.1";
const probeTimeoutMs = 1000;
const pollIntervalMs = 25;
/** A load that failed twice with the same error fails again. */
const repeatedFailure = 2;
const portAttempts = 4;
const portReleaseMs = 500;
const failedStartGraceMs = 500;

/** Serves bentos on this machine with `bentoml serve`, one process group a deployment, each in its model's environment. */
export class BentoMLServer implements ModelServer {
  /** A plain machine enforces neither `cpu_limit` nor `memory_limit`, and one server stands for all replicas. */
  readonly limitsEnforced = false;
  readonly #store: BentoStore;
  readonly #processes: ServedProcesses;
  readonly #records: ServerRecords;
  readonly #probe = new ReadinessProbe();
  readonly #options: BentoMLServerOptions;
  readonly #startTimeoutMs: number;

  constructor(options: BentoMLServerOptions) {
    this.#options = options;
    this.#store = new BentoStore(options.home);
    this.#processes = new ServedProcesses(options.runDirectory);
    this.#records = new ServerRecords(join(options.runDirectory, "servers"));
    this.#startTimeoutMs = options.startTimeoutMs ?? 90_000;
  }

  /** When `signal` aborts, the server is left to go on starting: the same call again adopts it, `stop` ends it. */
  async start(input: StartInput, { signal }: CallOptions): Promise<{ host: string; port: number }> {
    const tag = parseBentoTag(input.bento_tag);
    const bento = await this.#store.find(tag);
    if (bento === null) {
      throw new EndpointCreationError(
        `bento ${input.bento_tag} is not in the store: package the model first`,
      );
    }
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(signal, input.deployment_id);
      const record = await this.#startOrAdopt(input, bento, signal);
      const outcome = await this.#waitUntilReady(record, signal);
      if (outcome.state === "ready") return { host, port: record.port };
      await this.#clear(record);
      if (outcome.state === "failed" || attempt === portAttempts) {
        throw new EndpointCreationError(
          `${input.bento_tag} cannot be served for ${input.deployment_id}: ${outcome.reason}`,
          {
            details: {
              deployment_id: input.deployment_id,
              bento_tag: input.bento_tag,
              reason: outcome.reason,
            },
          },
        );
      }
    }
  }

  async stop(deploymentId: string, { signal }: CallOptions): Promise<void> {
    throwIfAborted(signal, deploymentId);
    await this.#processes.stop(deploymentId);
    await this.#records.remove(deploymentId);
    this.#probe.forget(deploymentId);
  }

  async observe(deploymentId: string, { signal }: CallOptions): Promise<ServerObservation> {
    throwIfAborted(signal, deploymentId);
    const [record, isRunning] = await Promise.all([
      this.#records.read(deploymentId),
      this.#processes.isRunning(deploymentId),
    ]);
    if (record === null) {
      return isRunning
        ? { state: "failed", reason: "runs without its record: stop it" }
        : { state: "absent" };
    }
    if (!isRunning) {
      const error = await this.#processes.lastError(deploymentId);
      return { state: "failed", reason: `its process has ended: ${error?.line ?? "its log names no error"}` };
    }
    const asked = await this.#ask(record, signal);
    throwIfAborted(signal, deploymentId);
    if (asked.state === "ready")
      return { state: "ready", host, port: record.port, bento_tag: record.bento_tag };
    if (asked.state !== "waiting") return { state: "failed", reason: asked.reason };
    return (await this.#loadFailure(record)) ?? (await this.#startingOrHanging(record, asked.reason));
  }

  async list(): Promise<string[]> {
    return this.#processes.list();
  }

  /** JSON lines of `{x_request_id, deployment_id, time, status, latency_ms, prediction, score}`; rotated to `.1` to `.3`. */
  predictionLogPath(deploymentId: string): string {
    return this.#processes.predictionLogPath(deploymentId);
  }

  /** Ends idle connections; the servers run on. */
  async close(): Promise<void> {
    await this.#probe.close();
  }

  /** What is recorded as running for the deployment, started first if nothing runs. */
  async #startOrAdopt(input: StartInput, bento: StoredBento, signal: AbortSignal): Promise<ServerRecord> {
    const { deployment_id, bento_tag } = input;
    const running = await this.#processes.isRunning(deployment_id);
    const present = await this.#records.read(deployment_id);
    if (running && present !== null) {
      if (present.bento_tag === bento_tag) return present;
      throw new EndpointCreationError(
        `deployment ${deployment_id} already serves ${present.bento_tag}, not ${bento_tag}: stop it first`,
      );
    }
    if (running) await this.#processes.stop(deployment_id);
    await assertBuiltFiles(bento);
    const environment = await ensureModelEnvironment({
      cacheDirectory: this.#options.cacheDirectory,
      requirements: bento.settings.requirements,
      uv: this.#options.uv,
      ...(this.#options.environmentSeconds && { limitSeconds: this.#options.environmentSeconds }),
      ...(this.#options.onProgress && { onProgress: this.#options.onProgress }),
      signal,
    });
    const record = await this.#claimPort(deployment_id, bento_tag);
    await this.#processes.start(record, {
      bentoml: environment.bentoml,
      bentoPath: bento.path,
      predictionThreads: this.#options.predictionThreads ?? 8,
    });
    return record;
  }

  /** A server that is started again keeps its port while that is free, so that routes to it stay right. */
  async #claimPort(deployment_id: string, bento_tag: string): Promise<ServerRecord> {
    const started_at = new Date().toISOString();
    const port = await findFreePort();
    const claimed = await this.#records.claim({ deployment_id, bento_tag, port, started_at });
    if (claimed.started_at === started_at && claimed.port === port) return claimed;
    const isFree = await becomesFree(claimed.port, portReleaseMs);
    // Another starter was quicker: its server is the one to adopt.
    const isTheirs = claimed.bento_tag === bento_tag && (await this.#processes.isRunning(deployment_id));
    if (!isFree && isTheirs) return claimed;
    const renewed = { deployment_id, bento_tag, port: isFree ? claimed.port : port, started_at };
    await this.#records.replace(renewed);
    return renewed;
  }

  async #waitUntilReady(record: ServerRecord, signal: AbortSignal): Promise<WaitOutcome> {
    const deadline = performance.now() + this.#startTimeoutMs;
    let last = "nothing was asked";
    while (performance.now() < deadline) {
      throwIfAborted(signal, record.deployment_id);
      const asked = await this.#ask(record, signal);
      if (asked.state === "ready" || asked.state === "failed") return asked;
      last = asked.reason;
      if (!(await this.#processes.isRunning(record.deployment_id))) return this.#explainEnd(record);
      if (asked.state === "foreign") return { state: "port_taken", reason: asked.reason };
      const failure = await this.#loadFailure(record);
      if (failure !== null) return failure;
      await delay(pollIntervalMs);
    }
    const error = await this.#processes.lastError(record.deployment_id);
    return { state: "failed", reason: error?.line ?? notReadyIn(this.#startTimeoutMs, last) };
  }

  async #explainEnd(record: ServerRecord): Promise<WaitOutcome> {
    const error = await this.#processes.lastError(record.deployment_id);
    const reason = error?.line ?? "its process ended and its log names no error";
    return { state: /address already in use/i.test(reason) ? "port_taken" : "failed", reason };
  }

  async #loadFailure(record: ServerRecord): Promise<{ state: "failed"; reason: string } | null> {
    const error = await this.#processes.lastError(record.deployment_id);
    return error !== null && error.count >= repeatedFailure ? { state: "failed", reason: error.line } : null;
  }

  async #startingOrHanging(record: ServerRecord, reason: string): Promise<ServerObservation> {
    const age = await this.#processes.ageMs(record.deployment_id);
    return age === null || age < this.#startTimeoutMs ? { state: "starting" } : { state: "failed", reason };
  }

  #ask(record: ServerRecord, signal: AbortSignal) {
    return this.#probe.ask(record, AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]));
  }

  /** After a failed start: nothing runs, and nothing is recorded. */
  async #clear(record: ServerRecord): Promise<void> {
    await this.#processes.stop(record.deployment_id, failedStartGraceMs);
    await this.#records.remove(record.deployment_id);
    this.#probe.forget(record.deployment_id);
  }
}

function notReadyIn(limitMs: number, last: string): string {
  return `not ready within MODEL_DEPLOYER_START_SECONDS=${limitMs / 1000}: ${last}; raise it if the model takes longer`;
}

function throwIfAborted(signal: AbortSignal, deploymentId: string): void {
  if (!signal.aborted) return;
  throw new ServiceUnavailableError("bentoml", `the deadline passed while ${deploymentId} was asked for`, {
    cause: signal.reason,
  });
}
