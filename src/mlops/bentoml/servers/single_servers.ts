import { join } from "node:path";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import {
  type LimitsState,
  LIVENESS_TIMEOUT_MS,
  type ModelServer,
  type ObserveOptions,
  type ReplicaUsage,
  type SampleOutcome,
  type SamplePredictions,
  type ServerObservation,
  type StartedServer,
  type StartServer,
  type StopOptions,
} from "../../../agents/model_deployer/ports/model_server_port.ts";
import { AwaitedStart, cannotBeServed, throwIfAborted } from "./awaited_start.ts";
import { BentoStore } from "../packaging/bento_store.ts";
import { parseBentoTag } from "../bento_tag.ts";
import { ServerLauncher } from "./server_launcher.ts";
import { ServedProcesses } from "./served_process.ts";
import { ServerProbe } from "./server_probe.ts";
import type { BentoMLServerOptions } from "./server_options.ts";
import { isNext, nextOf } from "../../replicas/server_names.ts";
import type { SingleServers } from "../../replicas/replicated_server.ts";
import { ServerReplacement } from "./server_replacement.ts";
import { type PredictionLogFile, predictionLogFilesOf, usageOf } from "./servers_of_deployment.ts";
import { ServerRecords, type ServerRecord } from "./server_record.ts";

const host = "127.0.0.1";
const PORT_ATTEMPTS = 4;
const FAILED_START_GRACE_MS = 500;

/** Servers of bentos on this machine, one process each; the names of several of one deployment are `replicaOf`'s. */
export class SingleBentoMLServers implements SingleServers, SamplePredictions {
  readonly #store: BentoStore;
  readonly #processes: ServedProcesses;
  readonly #records: ServerRecords;
  readonly #probe = new ServerProbe();
  readonly #launcher: ServerLauncher;
  readonly #awaited: AwaitedStart;
  readonly #replacement: ServerReplacement;

  constructor(options: BentoMLServerOptions) {
    this.#store = new BentoStore(options.home);
    this.#processes = new ServedProcesses(options.runDirectory, options.limits, {
      ...(options.freeMemory && { free: options.freeMemory }),
      ...(options.groupParent !== undefined && { groupParent: options.groupParent }),
    });
    this.#records = new ServerRecords(join(options.runDirectory, "servers"));
    const parts = { store: this.#store, processes: this.#processes, records: this.#records };
    this.#launcher = new ServerLauncher(parts, options);
    this.#replacement = new ServerReplacement(this.#records, this.#processes);
    this.#awaited = new AwaitedStart(this.#processes, this.#probe, options.startTimeoutMs ?? 90_000);
  }

  /** When `signal` aborts, the server is left to go on starting: the same call again adopts it, `stop` ends it. */
  async start(input: StartServer, options: CallOptions): Promise<StartedServer> {
    const { deployment_id } = input;
    if (input.beside !== true) return this.#start(input, options);
    const present = await this.#records.read(deployment_id);
    const runs = present !== null && (await this.#processes.isRunning(present.process));
    if (!runs || (await this.#replacement.isUnfinished(deployment_id))) return this.#start(input, options);
    const next = await this.#records.read(nextOf(deployment_id));
    const isBegun = next !== null && (await this.#processes.isRunning(next.process));
    if (!isBegun) await this.#processes.assertRoomFor(present, 1);
    const address = await this.#start({ ...input, deployment_id: nextOf(deployment_id) }, options);
    await this.#replacement.swap(deployment_id);
    return address;
  }

  async #start(input: StartServer, { signal }: CallOptions): Promise<StartedServer> {
    const tag = parseBentoTag(input.bento_tag);
    const bento = await this.#store.findSoon(tag);
    if (bento === null) {
      throw new EndpointCreationError(
        `bento ${input.bento_tag} is not in the store: package the model first`,
      );
    }
    for (let attempt = 1; ; attempt += 1) {
      throwIfAborted(signal, input.deployment_id);
      const { record, adopted } = await this.#launcher.startOrAdopt(input, bento, signal);
      const outcome = await this.#awaited.untilReady(record, input.served_before === true, signal);
      if (outcome.state === "ready") {
        return { host, port: record.port, isolation: await this.#processes.isolationOf(record.process) };
      }
      const isOthers = adopted && !isNext(input.deployment_id);
      const mayAnswer = isOthers && outcome.state === "failed" && outcome.runs;
      if (!mayAnswer) await this.#clear(record);
      if (outcome.state === "failed" || attempt === PORT_ATTEMPTS) {
        throw cannotBeServed(input, outcome.reason);
      }
    }
  }

  /** As `ServerLauncher.wake`. */
  async wake(deploymentId: string, { signal }: CallOptions): Promise<boolean> {
    return this.#launcher.wake(deploymentId, signal);
  }

  async stop(deploymentId: string, { signal, only_former = false }: StopOptions): Promise<void> {
    throwIfAborted(signal, deploymentId);
    await this.#replacement.stopFormer(deploymentId);
    if (only_former) return;
    await this.#replacement.stopNext(deploymentId);
    const record = await this.#records.read(deploymentId);
    if (record !== null) await this.#store.touch(parseBentoTag(record.bento_tag));
    const process = await this.#records.processOf(deploymentId);
    if (process !== null) await this.#processes.stop(process);
    await this.#records.remove(deploymentId);
    this.#probe.forget(process ?? deploymentId);
  }

  async observe(
    deploymentId: string,
    { signal, patience_ms = LIVENESS_TIMEOUT_MS, compares_settings = false }: ObserveOptions,
  ): Promise<ServerObservation> {
    throwIfAborted(signal, deploymentId);
    const record = await this.#records.read(deploymentId);
    const process = record?.process ?? (await this.#records.processOf(deploymentId));
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
        const outdated = compares_settings && !(await this.#processes.isServedAsNow(record.process));
        const also = { ...(replaced && { replaced }), ...(outdated && { outdated }) };
        return { state: "ready", host, port, bento_tag, predictions, ...also };
      }
      case "foreign":
        return { state: "failed", reason: seen.reason };
      case "hung":
        return { state: "unresponsive", host, port: record.port, reason: seen.reason };
      case "waiting":
      case "silent":
        return this.#awaited.startingOrHanging(record, seen.reason);
      default:
        return seen satisfies never;
    }
  }

  async trySample(deploymentId: string, { signal }: CallOptions): Promise<SampleOutcome> {
    throwIfAborted(signal, deploymentId);
    const record = await this.#records.read(deploymentId);
    return record === null ? { sample: "none" } : this.#probe.sample(record, signal);
  }

  /** Null where no server of the deployment is recorded. */
  recordOf(deploymentId: string): Promise<ServerRecord | null> {
    return this.#records.read(deploymentId);
  }

  async list(): Promise<string[]> {
    const processes = await this.#processes.list();
    const owners = processes.map(async (name) => (await this.#records.ownerOf(name)) ?? name);
    return Promise.all(owners);
  }

  async usage(deploymentId: string, { signal }: CallOptions): Promise<ReplicaUsage[]> {
    throwIfAborted(signal, deploymentId);
    return usageOf(deploymentId, this.#records, this.#processes);
  }

  async limits(deploymentId: string, { signal }: CallOptions): Promise<LimitsState> {
    throwIfAborted(signal, deploymentId);
    return this.#processes.limits();
  }

  async namesOf(deploymentId: string): Promise<string[]> {
    return this.#records.namesOf(deploymentId);
  }

  async retire(name: string): Promise<void> {
    await this.#replacement.retire(name);
  }

  async assertRoomFor(name: string, count: number): Promise<void> {
    const record = await this.#records.read(name);
    if (record !== null) await this.#processes.assertRoomFor(record, count);
  }

  async handOver(...[from, to, { signal }]: Parameters<ModelServer["handOver"]>): Promise<boolean> {
    throwIfAborted(signal, from);
    const record = await this.#records.read(from);
    if (record?.bento_tag !== to.bento_tag || !(await this.#processes.isServedAsNow(record.process)))
      return false;
    const handed_over_at = new Date().toISOString();
    const claimed = await this.#records.claim({ ...record, deployment_id: to.deployment_id, handed_over_at });
    if (claimed.process !== record.process) return false;
    await this.#records.remove(from);
    return true;
  }

  /** JSON lines of `{x_request_id, deployment_id, time, status, latency_ms, prediction, score}`; rotated to `.1` to `.3`. */
  async predictionLogFiles(deploymentId: string): Promise<PredictionLogFile[]> {
    return predictionLogFilesOf(deploymentId, this.#records, this.#processes);
  }

  /** Ends idle connections; the servers run on. */
  async close(): Promise<void> {
    await this.#probe.close();
  }

  /** After a failed start: nothing runs, and nothing is recorded. */
  async #clear(record: ServerRecord): Promise<void> {
    await this.#processes.stop(record.process, FAILED_START_GRACE_MS);
    await this.#records.remove(record.deployment_id);
    this.#probe.forget(record.process);
  }
}
