import { join } from "node:path";
import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";
import {
  type CallOptions,
  LIVENESS_TIMEOUT_MS,
  type ModelServer,
  type ObserveOptions,
  type ServerObservation,
  type StartServer,
  type StopOptions,
} from "../../agents/model_deployer/ports.ts";
import { ensureModelEnvironment } from "../../platform/python_environment.ts";
import { AwaitedStart, throwIfAborted } from "./awaited_start.ts";
import { BentoStore, type StoredBento } from "./bento_store.ts";
import { assertBuiltFiles } from "./built_files.ts";
import { parseBentoTag } from "./bento_tag.ts";
import { becomesFree, findFreePort } from "./free_port.ts";
import { ServedProcesses, type ServingLimits } from "./served_process.ts";
import { ServerProbe } from "./server_probe.ts";
import { deploymentOf, nextOf, ServerReplacement } from "./server_replacement.ts";
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
  limits?: ServingLimits;
  /** Lines for people, of what takes long. */
  onProgress?: (line: string) => void;
}

const host = "127.0.0.1";
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
  readonly #probe = new ServerProbe();
  readonly #options: BentoMLServerOptions;
  readonly #awaited: AwaitedStart;
  readonly #replacement: ServerReplacement;
  readonly #startTimeoutMs: number;

  constructor(options: BentoMLServerOptions) {
    this.#options = options;
    this.#store = new BentoStore(options.home);
    this.#processes = new ServedProcesses(options.runDirectory, options.limits);
    this.#records = new ServerRecords(join(options.runDirectory, "servers"));
    this.#startTimeoutMs = options.startTimeoutMs ?? 90_000;
    this.#replacement = new ServerReplacement(this.#records, this.#processes);
    this.#awaited = new AwaitedStart(this.#processes, this.#probe, this.#startTimeoutMs);
  }

  /** When `signal` aborts, the server is left to go on starting: the same call again adopts it, `stop` ends it. */
  async start(input: StartServer, options: CallOptions): Promise<{ host: string; port: number }> {
    const { deployment_id } = input;
    if (input.beside !== true) return this.#start(input, options);
    const present = await this.#records.read(deployment_id);
    const runs = present !== null && (await this.#processes.isRunning(present.process));
    if (!runs || (await this.#replacement.isUnfinished(deployment_id))) return this.#start(input, options);
    const address = await this.#start({ ...input, deployment_id: nextOf(deployment_id) }, options);
    await this.#replacement.swap(deployment_id);
    return address;
  }

  async #start(input: StartServer, { signal }: CallOptions): Promise<{ host: string; port: number }> {
    const tag = parseBentoTag(input.bento_tag);
    const bento = await this.#store.find(tag);
    if (bento === null) {
      throw new EndpointCreationError(
        `bento ${input.bento_tag} is not in the store: package the model first`,
      );
    }
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(signal, input.deployment_id);
      const { record, adopted } = await this.#startOrAdopt(input, bento, signal);
      const outcome = await this.#awaited.untilReady(record, input.served_before === true, signal);
      if (outcome.state === "ready") return { host, port: record.port };
      const mayAnswer = adopted && outcome.state === "failed" && outcome.runs;
      if (!mayAnswer) await this.#clear(record);
      if (outcome.state === "failed" || attempt === portAttempts) {
        const { reason } = outcome;
        const { deployment_id, bento_tag } = input;
        throw new EndpointCreationError(`${bento_tag} cannot be served for ${deployment_id}: ${reason}`, {
          details: { deployment_id, bento_tag, reason },
        });
      }
    }
  }

  async stop(deploymentId: string, { signal, only_former = false }: StopOptions): Promise<void> {
    throwIfAborted(signal, deploymentId);
    await this.#replacement.stopFormer(deploymentId);
    if (only_former) return;
    await this.#replacement.stopNext(deploymentId);
    const process = await this.#processOf(deploymentId);
    if (process !== null) await this.#processes.stop(process);
    await this.#records.remove(deploymentId);
    this.#probe.forget(process ?? deploymentId);
  }

  async observe(
    deploymentId: string,
    { signal, patience_ms = LIVENESS_TIMEOUT_MS }: ObserveOptions,
  ): Promise<ServerObservation> {
    throwIfAborted(signal, deploymentId);
    const record = await this.#records.read(deploymentId);
    const process = record?.process ?? (await this.#processOf(deploymentId));
    const isRunning = process !== null && (await this.#processes.isRunning(process));
    if (record === null) {
      if (!isRunning) return { state: "absent" };
      return { state: "failed", reason: "runs without its record: stop it" };
    }
    if (!isRunning) {
      const error = await this.#processes.lastError(record.process);
      return { state: "failed", reason: `its process has ended: ${error?.line ?? "its log names no error"}` };
    }
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience_ms)]);
    const seen = await this.#probe.health(record, bounded);
    throwIfAborted(signal, deploymentId);
    switch (seen.health) {
      case "ready": {
        const { port, bento_tag } = record;
        const replaced = await this.#replacement.isUnfinished(deploymentId);
        const { predictions } = seen;
        return { state: "ready", host, port, bento_tag, predictions, ...(replaced && { replaced }) };
      }
      case "foreign":
        return { state: "failed", reason: seen.reason };
      case "hung":
        return { state: "unresponsive", reason: seen.reason };
      case "waiting":
      case "silent":
        return this.#startingOrHanging(record, seen.reason);
      default:
        return seen satisfies never;
    }
  }

  async list(): Promise<string[]> {
    const processes = await this.#processes.list();
    const owners = processes.map(async (name) => (await this.#records.ownerOf(name)) ?? name);
    return [...new Set((await Promise.all(owners)).map(deploymentOf))];
  }

  async handOver(...[from, to, { signal }]: Parameters<ModelServer["handOver"]>): Promise<boolean> {
    throwIfAborted(signal, from);
    const record = await this.#records.read(from);
    if (record?.bento_tag !== to.bento_tag || !(await this.#processes.isRunning(record.process)))
      return false;
    const claimed = await this.#records.claim({ ...record, deployment_id: to.deployment_id });
    if (claimed.process !== record.process) return false;
    await this.#records.remove(from);
    return true;
  }

  /** The process that is this deployment's to end; null where what bears its name was handed over. */
  async #processOf(deploymentId: string): Promise<string | null> {
    const record = await this.#records.read(deploymentId);
    if (record !== null) return record.process;
    return (await this.#records.ownerOf(deploymentId)) === null ? deploymentId : null;
  }

  /** JSON lines of `{x_request_id, deployment_id, time, status, latency_ms, prediction, score}`; rotated to `.1` to `.3`. */
  async predictionLogPath(deploymentId: string): Promise<string> {
    const record = await this.#records.read(deploymentId);
    return this.#processes.predictionLogPath(record?.process ?? deploymentId);
  }

  /** Ends idle connections; the servers run on. */
  async close(): Promise<void> {
    await this.#probe.close();
  }

  /** What is recorded as running for the deployment, started first if nothing runs. */
  async #startOrAdopt(
    input: StartServer,
    bento: StoredBento,
    signal: AbortSignal,
  ): Promise<{ record: ServerRecord; adopted: boolean }> {
    const { deployment_id, bento_tag } = input;
    const present = await this.#records.read(deployment_id);
    const process = present?.process ?? (await this.#records.freeProcess(deployment_id));
    const running = await this.#processes.isRunning(process);
    if (running && present !== null) {
      if (present.bento_tag === bento_tag) return { record: present, adopted: true };
      throw new EndpointCreationError(
        `deployment ${deployment_id} already serves ${present.bento_tag}, not ${bento_tag}: stop it first`,
      );
    }
    if (running) await this.#processes.stop(process);
    await assertBuiltFiles(bento);
    const environment = await ensureModelEnvironment({
      cacheDirectory: this.#options.cacheDirectory,
      requirements: bento.settings.requirements,
      uv: this.#options.uv,
      ...(this.#options.environmentSeconds && { limitSeconds: this.#options.environmentSeconds }),
      ...(this.#options.onProgress && { onProgress: this.#options.onProgress }),
      signal,
    });
    const record = await this.#claimPort({ deployment_id, bento_tag, process });
    await this.#processes.start(record, {
      bentoml: environment.bentoml,
      bentoPath: bento.path,
    });
    return { record, adopted: false };
  }

  /** A server that is started again keeps its port while that is free, so that routes to it stay right. */
  async #claimPort(server: Omit<ServerRecord, "port" | "started_at">): Promise<ServerRecord> {
    const started_at = new Date().toISOString();
    const port = await findFreePort();
    const claimed = await this.#records.claim({ ...server, port, started_at });
    if (claimed.started_at === started_at && claimed.port === port) return claimed;
    const isFree = await becomesFree(claimed.port, portReleaseMs);
    // Another starter was quicker: its server is the one to adopt.
    const isSame = claimed.bento_tag === server.bento_tag;
    const isTheirs = isSame && (await this.#processes.isRunning(claimed.process));
    if (!isFree && isTheirs) return claimed;
    const renewed = { ...server, port: isFree ? claimed.port : port, started_at };
    await this.#records.replace(renewed);
    return renewed;
  }

  /** Only of one that may still be starting its log says why it does not answer: later, errors in it are old. */
  async #startingOrHanging(record: ServerRecord, reason: string): Promise<ServerObservation> {
    const age = await this.#processes.ageMs(record.process);
    if (age !== null && age >= this.#startTimeoutMs) return { state: "unresponsive", reason };
    const failure = await this.#awaited.loadFailure(record);
    return failure === null ? { state: "starting" } : { state: "failed", reason: failure };
  }

  /** After a failed start: nothing runs, and nothing is recorded. */
  async #clear(record: ServerRecord): Promise<void> {
    await this.#processes.stop(record.process, failedStartGraceMs);
    await this.#records.remove(record.deployment_id);
    this.#probe.forget(record.process);
  }
}
