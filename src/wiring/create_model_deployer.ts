import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import type { Configuration } from "./settings/configuration.ts";
import { createDatabase, type DeployerDatabase, type InstallationKind } from "../database/index.ts";
import { PrometheusMetrics } from "../mlops/prometheus/prometheus_metrics.ts";
import { routerRunDirectories } from "../mlops/envoy/endpoint_folder.ts";
import { startBoundingLogs } from "../platform/processes/bounded_log.ts";
import { serviceRunDirectory } from "../platform/services/local_service.ts";
import { DiskReserve } from "../platform/disk/disk_reserve.ts";
import { operatingUser } from "../platform/operating_user.ts";
import { ensureToolsEnvironment } from "../platform/python/python_environment.ts";
import { createTelemetry, type Telemetry, type WorkerObservation } from "../telemetry/telemetry.ts";
import { noticeSender } from "./notice_sender.ts";
import { homeSecrets } from "./home_secrets.ts";
import { Worker } from "../worker/worker.ts";
import { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import { createCapabilities } from "../agents/model_deployer/capabilities.ts";
import { type Addresses, resolveAddresses } from "./settings/resolved_addresses.ts";
import { upkeepOf } from "./keeping/upkeep.ts";
import type { BegunHome } from "./begun_home.ts";
import { careOf } from "./keeping/worker_care.ts";
import { createMemories } from "./create_memories.ts";
import { createEngine } from "./engines/create_engine.ts";
import { createModelDeployerGraph, type ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import type { Origin } from "../agents/model_deployer/domain/roles.ts";
import type { SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import type { Parts, Settings } from "../agents/model_deployer/ports/parts.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { Embedder, EpisodicMemory } from "../agents/model_deployer/ports/memory_ports.ts";
import type {
  RecordedOutcomes,
  ToldOutcome,
} from "../agents/model_deployer/domain/evidence/late_outcomes.ts";
import { recordOutcomes } from "../agents/model_deployer/collection/record_outcomes.ts";
import type { ReconciliationReport } from "../agents/model_deployer/reconciliation/reconciliation_report.ts";
import {
  type ResumeOptions,
  type Resumption,
  resumeOperation,
} from "../agents/model_deployer/operations/resume_operation.ts";

export interface ModelDeployerOptions {
  /** With one, a run that needs an approval waits by an interrupt; without one, a missing approval is an error. */
  checkpointer?: BaseCheckpointSaver;
  /**
   * The kind that a new database is marked as, once and for ever; `demo` alone admits shortened shadow gates. `existing`
   * takes the database as it is, and makes a new one a standard one.
   */
  installation?: InstallationKind | "existing";
  /** Gives episodes their embeddings; without one that column stays null and recall is by text. */
  embedder?: Embedder;
  /**
   * Does not wait for an embedded MLflow to answer; a message to it meanwhile is delivered later, and a question fails
   * as unavailable.
   */
  registryMayFollow?: boolean;
  /** The door that requests of this deployer come through, for the audit trail; `library` unless given. */
  via?: Origin["via"];
  /** The home, where bringing it up has begun before. */
  begun?: BegunHome;
  /** Receives lines for people about work that takes long. */
  onProgress?: (line: string) => void;
  /** Called with the name of each service that this call starts in the home and that goes on when the process ends. */
  onBegun?: (service: string) => void;
}

export interface ModelDeployer {
  agent: ModelDeployerAgent;
  graph: ModelDeployerGraph;
  /**
   * Moves rollouts on, resumes interrupted operations, drains replaced servers; call `run` in one process or several.
   */
  worker: Worker;
  /** Brings MLflow, the router and the servers back to what the database says, and tells what differed. */
  reconcile(options: CallOptions): Promise<ReconciliationReport>;
  /** Carries one interrupted operation to its end, or undoes it, and says which. */
  resume(operationId: string, options: ResumeOptions): Promise<Resumption>;
  /**
   * Tells what turned out to be true of answered requests, by their `x-request-id`, in any order; the same again changes
   * nothing.
   * @throws InvalidRequestError | NotFoundError | ServiceUnavailableError
   */
  recordOutcomes(
    outcomes: readonly ToldOutcome[],
    options?: { endpoint_name?: string },
  ): Promise<RecordedOutcomes>;
  parts: Parts;
  /** The episodic memory of another agent of the pipeline, in the same service; `parts` has the deployer's own. */
  episodicMemoryOf(agentName: string): EpisodicMemory;
  settings: Settings;
  database: DeployerDatabase;
  /** Keeps what is secret of whom it tells. */
  secrets: SecretKeeper;
  telemetry: Telemetry;
  /**
   * Logs and counts what a worker does, and serves the metrics where a port is configured; `run` takes its `onTick`. Until
   * it is closed the logs of the home's routers and embedded services are kept within their bounds.
   */
  observeWorker(): Promise<WorkerObservation>;
  /** Sentences about parts that work with a restriction; empty where all is well. */
  degraded: string[];
  /** The addresses in use, embedded ones included. */
  addresses: Addresses;
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
  const addresses = await (options.begun?.addresses ?? resolveAddresses(configuration, options));
  const tools = await toolsOf(configuration, options);
  const reserve = new DiskReserve(configuration.home, configuration.reserveBytes);
  await reserve.keep().catch(ignoreUnkept);
  const makeRoom = () => reserve.release();
  const database = openDatabase(configuration, addresses, makeRoom);
  const secrets = await preparedSecrets(configuration, database, options);
  await options.begun?.settle(database.endpoints);
  const { degraded } = await database.rights();
  if (degraded !== null) options.onProgress?.(degraded);
  const memory = await createMemories(configuration, addresses, options);
  const ingressOf = (name: string) => database.ingressPolicies.wanted(name);
  const engine = { ...configuration, makeRoom, ingressOf };
  const parts: Parts = {
    database,
    ...(await createEngine(engine, addresses.mlflowUrl, tools, options)),
    ...(configuration.prometheus && { teamMetrics: new PrometheusMetrics(configuration.prometheus) }),
    ...memory.ports,
    notificationSender: noticeSender(configuration, secrets),
  };
  const settings = settingsOf(configuration, await requester(configuration, database, options.via));
  const capabilities = createCapabilities(parts, settings);
  const graph = createModelDeployerGraph(capabilities, checkpointing(options));
  const care = careOf(configuration, reserve, database);
  const upkeep = upkeepOf(configuration, database, parts.ingress ?? null);
  return {
    agent: new ModelDeployerAgent(graph),
    graph,
    worker: new Worker(capabilities, graph, database.workers, ...care, upkeep),
    reconcile: (callOptions) => capabilities.reconciler.reconcile(callOptions),
    resume: (operationId, callOptions) => resumeOperation(capabilities, operationId, callOptions),
    recordOutcomes: outcomeRecorder(database, settings),
    parts,
    episodicMemoryOf: (agentName) => memory.episodicMemoryOf(agentName),
    settings,
    database,
    secrets,
    telemetry,
    observeWorker: () => observeWorker(configuration, options, telemetry, database),
    degraded: degraded === null ? [] : [degraded],
    addresses,
    close: () => closeAll(memory, database, telemetry),
  };
}

async function closeAll(...opened: { close(): Promise<void> }[]): Promise<void> {
  for (const one of opened) await one.close();
}

/** Brings the tables up to date, and seals what an earlier version kept in clear text. */
async function preparedSecrets(
  configuration: Configuration,
  database: DeployerDatabase,
  { installation = "standard" }: ModelDeployerOptions,
): Promise<SecretKeeper> {
  await database.migrate({ installation });
  const secrets = homeSecrets(configuration);
  await database.sinks.sealPlain(secrets);
  return secrets;
}

const toolsOf = ({ cache, limits }: Configuration, { onProgress }: ModelDeployerOptions) =>
  ensureToolsEnvironment({
    cacheDirectory: cache,
    limitSeconds: limits.environmentSeconds,
    ...(onProgress && { onProgress }),
  });

const checkpointing = ({ checkpointer }: ModelDeployerOptions) =>
  checkpointer === undefined ? {} : { checkpointer };

function outcomeRecorder(database: DeployerDatabase, settings: Settings): ModelDeployer["recordOutcomes"] {
  return (outcomes, told = {}) =>
    recordOutcomes(database, outcomes, {
      by: settings.requested_by,
      origin: settings.origin ?? null,
      ...told,
    });
}

/** An embedded server lies on the home's disk, where the reserve can make room; another server's disk is not ours. */
function openDatabase(
  { databaseUrl }: Configuration,
  { databaseUrl: url, databaseOwnerUrl: ownerUrl }: Addresses,
  makeRoom: () => boolean,
): DeployerDatabase {
  const holder = `${hostname()}:${process.pid}:${randomUUID()}`;
  return createDatabase({ url, ownerUrl, holder, makeRoom: databaseUrl === null ? makeRoom : undefined });
}

/**
 * Without the reserve a rollback has no room of its own on a full disk; the worker reports that, and all else goes on.
 */
function ignoreUnkept(error: unknown): void {
  if (!(error instanceof Error && "code" in error)) throw error;
}

function settingsOf(configuration: Configuration, requester: Requester): Settings {
  return {
    ...requester,
    lease_seconds: configuration.leaseSeconds,
    patience_seconds: 30 - SLA_MARGIN_SECONDS,
    retention_seconds: configuration.retentionSeconds,
    approval_wait_seconds: configuration.approvalDays * 24 * 3600,
    long_work_seconds: longWorkSeconds(configuration),
    reconcile_seconds: configuration.reconcileSeconds,
    liveness: configuration.liveness,
    default_effects: configuration.effects,
  };
}

/**
 * The longest that one operation may take: two artifacts fetched and two servers started in turn, and an hour for all
 * that has no setting.
 */
function longWorkSeconds({ limits }: Configuration): number {
  const { environmentSeconds, fetchSeconds, buildSeconds, startSeconds } = limits;
  return 3600 + environmentSeconds + 2 * fetchSeconds + buildSeconds + 2 * startSeconds;
}

/** The servers of bentos bound their own logs; only those of routers and services are bounded here. */
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

type Requester = Pick<Settings, "requested_by"> & { origin: Origin };

/** The token's principal; without one, the deployer itself, at the hand of the operating system's user. */
async function requester(
  { token }: Configuration,
  database: DeployerDatabase,
  via: Origin["via"] = "library",
): Promise<Requester> {
  const from = { via, ...operatingUser(), address: null };
  if (token === null) return { requested_by: "model_deployer", origin: { as: "session", ...from } };
  const { principal } = await database.principals.authenticate(token);
  return { requested_by: principal, origin: { as: "token", ...from } };
}
