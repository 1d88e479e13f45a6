import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import type { Configuration } from "../../configuration.ts";
import { createDatabase, type DeployerDatabase, type InstallationKind } from "../../database/index.ts";
import { SupabaseEpisodicMemory } from "../../memory/episodic_memory.ts";
import { migrateMemory } from "../../memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../../memory/procedural_memory.ts";
import { createMemoryClient } from "../../memory/supabase_client.ts";
import { RedisWorkingMemory } from "../../memory/working_memory.ts";
import { routerRunDirectories } from "../../mlops/envoy/endpoint_folder.ts";
import { startBoundingLogs } from "../../platform/bounded_log.ts";
import { serviceRunDirectory } from "../../platform/local_service.ts";
import { DiskReserve } from "../../platform/disk_reserve.ts";
import { roomOf, shortages } from "../../platform/disk_room.ts";
import { type LocalServices, startLocalServices } from "../../platform/local_services.ts";
import { ensureToolsEnvironment } from "../../platform/python_environment.ts";
import { createTelemetry, type Telemetry, type WorkerObservation } from "../../telemetry/telemetry.ts";
import { Worker } from "../../worker/worker.ts";
import { ModelDeployerAgent } from "./agent.ts";
import { createCapabilities } from "./capabilities.ts";
import { createEngine } from "./create_engine.ts";
import { createModelDeployerGraph, type ModelDeployerGraph } from "./graph.ts";
import type { Parts, Settings } from "./parts.ts";
import type { CallOptions, Embedder, EpisodicMemory } from "./ports.ts";
import type { ReconciliationReport } from "./reconciliation_report.ts";
import { type ResumeOptions, type Resumption, resumeOperation } from "./resume_operation.ts";

export interface ModelDeployerOptions {
  /** Waits for approvals by interrupt where there is one; else an approval that is missing is an error. */
  checkpointer?: BaseCheckpointSaver;
  /**
   * The kind that a new database is marked as, once and for ever; `demo` alone admits shortened shadow gates. `existing`
   * takes the database as it is, and makes a new one a standard one.
   */
  installation?: InstallationKind | "existing";
  /** Gives episodes their embeddings; without one that column stays null and recall is by text. */
  embedder?: Embedder;
  /** An embedded MLflow need not answer yet; what asks it meanwhile is caught up later, or told so. */
  registryMayFollow?: boolean;
  /** Lines for people, of what takes long. */
  onProgress?: (line: string) => void;
}

export interface ModelDeployer {
  agent: ModelDeployerAgent;
  graph: ModelDeployerGraph;
  /** Moves rollouts on, resumes what was interrupted, drains what was replaced; `run` it in one process or several. */
  worker: Worker;
  /** Brings MLflow, the router and the servers back to what the database says, and tells what differed. */
  reconcile(options: CallOptions): Promise<ReconciliationReport>;
  /** Carries one operation that was left to its end, or undoes it, and says which. */
  resume(operationId: string, options: ResumeOptions): Promise<Resumption>;
  parts: Parts;
  /** The episodic memory of another agent of the pipeline, in the same service; the deployer's own is in `parts`. */
  episodicMemoryOf(agentName: string): EpisodicMemory;
  settings: Settings;
  database: DeployerDatabase;
  telemetry: Telemetry;
  /**
   * Logs and counts what a worker does, and serves the metrics where a port is configured; `run` takes its `onTick`. Until
   * it is closed the logs of the home's routers and embedded services are kept within their bounds.
   */
  observeWorker(): Promise<WorkerObservation>;
  /** Sentences about parts that work, but not as they should; empty where all is well. */
  degraded: string[];
  /** The addresses in use, embedded ones included. */
  addresses: { databaseUrl: string; redisUrl: string; mlflowUrl: string };
  /** Closes connections; servers, routers and embedded services go on, for they outlive a process. */
  close(): Promise<void>;
}

const SLA_MARGIN_SECONDS = 4;

/**
 * Builds everything from a parsed configuration; what has no address is brought up in the home.
 * @throws ConfigurationError | ServiceUnavailableError | NotAuthenticatedError
 */
export async function createModelDeployer(
  configuration: Configuration,
  options: ModelDeployerOptions = {},
): Promise<ModelDeployer> {
  const telemetry = await createTelemetry(configuration.telemetry);
  const addresses = await resolveAddresses(configuration, options);
  const progress = options.onProgress === undefined ? {} : { onProgress: options.onProgress };
  const tools = await ensureToolsEnvironment({
    cacheDirectory: configuration.cache,
    limitSeconds: configuration.limits.environmentSeconds,
    ...progress,
  });
  const reserve = new DiskReserve(configuration.home, configuration.reserveBytes);
  await reserve.keep().catch(ignoreUnkept);
  const makeRoom = () => reserve.release();
  const database = openDatabase(configuration, addresses.databaseUrl, makeRoom);
  await database.migrate({ installation: options.installation ?? "standard" });
  const rights = await database.rights();
  if (rights.degraded !== null) options.onProgress?.(rights.degraded);
  const memory = await createMemories(configuration, addresses, options);
  const parts: Parts = {
    database,
    ...createEngine({ ...configuration, makeRoom }, addresses.mlflowUrl, tools, options),
    ...memory.ports,
  };
  const settings = settingsOf(configuration, await requester(configuration, database));
  const capabilities = createCapabilities(parts, settings);
  const { checkpointer } = options;
  const graph = createModelDeployerGraph(capabilities, checkpointer === undefined ? {} : { checkpointer });
  return {
    agent: new ModelDeployerAgent(graph),
    graph,
    worker: new Worker(capabilities, graph, database.workers, roomOfHome(configuration, reserve)),
    reconcile: (callOptions) => capabilities.reconciler.reconcile(callOptions),
    resume: (operationId, callOptions) => resumeOperation(capabilities, operationId, callOptions),
    parts,
    episodicMemoryOf: (agentName) => memory.episodicMemoryOf(agentName),
    settings,
    database,
    telemetry,
    observeWorker: () => observeWorker(configuration, options, telemetry, database),
    degraded: rights.degraded === null ? [] : [rights.degraded],
    addresses,
    close: async () => {
      await memory.close();
      await database.close();
      await telemetry.close();
    },
  };
}

/** An embedded server's disk is the home's; another one's is not ours to make room on. */
function openDatabase(
  { databaseUrl }: Configuration,
  url: string,
  makeRoom: () => boolean,
): DeployerDatabase {
  const holder = `${hostname()}:${process.pid}:${randomUUID()}`;
  return createDatabase({ url, holder, makeRoom: databaseUrl === null ? makeRoom : undefined });
}

/** Without it a rollback has no room of its own, which the worker tells; all else goes on. */
function ignoreUnkept(error: unknown): void {
  if (!(error instanceof Error && "code" in error)) throw error;
}

/** What the worker sees to: the reserve is made whole again, and a disk that fills up is told of in time. */
function roomOfHome(
  { home, cache, lowDiskBytes }: Configuration,
  reserve: DiskReserve,
): () => Promise<string[]> {
  return async () => {
    await reserve.keep();
    return shortages(await roomOf([home, cache]), lowDiskBytes);
  };
}

function settingsOf(configuration: Configuration, requested_by: string): Settings {
  return {
    requested_by,
    lease_seconds: configuration.leaseSeconds,
    patience_seconds: 30 - SLA_MARGIN_SECONDS,
    retention_seconds: configuration.retentionSeconds,
    reconcile_seconds: configuration.reconcileSeconds,
    liveness: configuration.liveness,
    default_effects: configuration.effects,
  };
}

async function resolveAddresses(
  configuration: Configuration,
  options: ModelDeployerOptions,
): Promise<ModelDeployer["addresses"]> {
  const { databaseUrl, redisUrl, mlflowUrl, home, cache } = configuration;
  const need = { postgres: databaseUrl === null, redis: redisUrl === null, mlflow: mlflowUrl === null };
  const local: Partial<LocalServices> =
    need.postgres || need.redis || need.mlflow
      ? await startLocalServices({
          homeDirectory: home,
          cacheDirectory: cache,
          need,
          ...(options.registryMayFollow === true && { mayFollow: ["mlflow"] }),
          ...(options.onProgress && { onProgress: options.onProgress }),
        })
      : {};
  return {
    databaseUrl: databaseUrl ?? local.databaseUrl ?? "",
    redisUrl: redisUrl ?? local.redisUrl ?? "",
    mlflowUrl: mlflowUrl ?? local.mlflowUrl ?? "",
  };
}

/** Servers of bentos look after their own logs. */
async function observeWorker(
  { home, logs: bounds }: Configuration,
  { onProgress: onProblem = () => undefined }: ModelDeployerOptions,
  telemetry: Telemetry,
  database: DeployerDatabase,
): Promise<WorkerObservation> {
  const folders = async () => [serviceRunDirectory(home), ...(await routerRunDirectories(home))];
  const observed = await telemetry.observeWorker(() => database.figures());
  const endLogs = startBoundingLogs({ folders, bounds, onProblem });
  return { ...observed, close: () => Promise.all([endLogs(), observed.close()]).then(() => undefined) };
}

type MemoryPorts = Pick<Parts, "workingMemory" | "episodicMemory" | "proceduralMemory">;

async function createMemories(
  { supabaseUrl, supabaseKey }: Configuration,
  { databaseUrl, redisUrl }: ModelDeployer["addresses"],
  { embedder }: ModelDeployerOptions,
): Promise<{
  ports: MemoryPorts;
  episodicMemoryOf(agentName: string): EpisodicMemory;
  close(): Promise<void>;
}> {
  if (supabaseUrl === null) await migrateMemory(databaseUrl, { signal: AbortSignal.timeout(30_000) });
  const client = createMemoryClient({
    databaseUrl,
    supabaseUrl: supabaseUrl ?? undefined,
    supabaseKey: supabaseKey ?? undefined,
  });
  const workingMemory = new RedisWorkingMemory({ redisUrl });
  const ports = {
    workingMemory,
    episodicMemory: new SupabaseEpisodicMemory(client, { embedder }),
    proceduralMemory: new SupabaseProceduralMemory(client),
  };
  return {
    ports,
    episodicMemoryOf: (agentName) => new SupabaseEpisodicMemory(client, { agentName, embedder }),
    close: async () => {
      await workingMemory.close();
      await client.close();
    },
  };
}

async function requester({ token }: Configuration, database: DeployerDatabase): Promise<string> {
  if (token === null) return "model_deployer";
  return (await database.principals.authenticate(token)).principal;
}
