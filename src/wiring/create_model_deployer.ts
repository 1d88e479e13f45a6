import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Configuration } from "./settings/configuration.ts";
import { createDatabase, type DeployerDatabase } from "../database/index.ts";
import { OsvVulnerabilities } from "../mlops/vulnerabilities/osv_vulnerabilities.ts";
import { PrometheusMetrics } from "../mlops/prometheus/prometheus_metrics.ts";
import { routerRunDirectories } from "../mlops/envoy/endpoint_folder.ts";
import { startBoundingLogs } from "../platform/processes/bounded_log.ts";
import { serviceRunDirectory } from "../platform/services/local_service.ts";
import { DiskReserve } from "../platform/disk/disk_reserve.ts";
import { ensureToolsEnvironment } from "../platform/python/python_environment.ts";
import { createTelemetry, type Telemetry, type WorkerObservation } from "../telemetry/telemetry.ts";
import { noticeSender } from "./notice_sender.ts";
import { homeSecrets } from "./home_secrets.ts";
import { Worker } from "../worker/worker.ts";
import { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import { createCapabilities } from "../agents/model_deployer/capabilities.ts";
import { type Addresses, resolveAddresses } from "./settings/resolved_addresses.ts";
import { upkeepOf } from "./keeping/worker_upkeep.ts";
import { watchesOf } from "./keeping/worker_watches.ts";
import { createMemories } from "./create_memories.ts";
import { createEngine } from "./engines/create_engine.ts";
import { createModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import type { SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import type { Parts, Settings } from "../agents/model_deployer/ports/parts.ts";
import { recordOutcomes } from "../agents/model_deployer/collection/record_outcomes.ts";
import { resumeOperation } from "../agents/model_deployer/operations/resume_operation.ts";
import type { ModelDeployerOptions, ModelDeployer } from "./model_deployer.ts";
import { settingsOf, requester } from "./agent_settings.ts";

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
  await options.begun?.stopUnrouted(database.endpoints);
  const { degraded } = await database.rights();
  if (degraded !== null) options.onProgress?.(degraded);
  const memory = await createMemories(configuration, addresses, options);
  const ingressOf = (name: string) => database.ingressPolicies.wanted(name);
  const engine = { ...configuration, makeRoom, ingressOf, database };
  const parts: Parts = {
    database,
    ...(await createEngine(engine, addresses.mlflowUrl, tools, options)),
    ...(configuration.prometheus && { teamMetrics: new PrometheusMetrics(configuration.prometheus) }),
    ...vulnerabilitiesOf(configuration, tools),
    ...memory.ports,
    notificationSender: noticeSender(configuration, secrets),
  };
  const settings = settingsOf(configuration, await requester(configuration, database, options.via));
  const capabilities = createCapabilities(parts, settings);
  const graph = createModelDeployerGraph(capabilities, checkpointing(options));
  const watches = watchesOf(configuration, reserve, database);
  const upkeep = upkeepOf(configuration, database, parts.ingress ?? null);
  return {
    agent: new ModelDeployerAgent(graph),
    graph,
    worker: new Worker(capabilities, graph, database.workers, ...watches, upkeep),
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

function vulnerabilitiesOf(
  { vulnerabilities: place }: Configuration,
  { python }: { python: string },
): Pick<Parts, "vulnerabilities"> {
  return place === null
    ? {}
    : { vulnerabilities: new OsvVulnerabilities({ place, python: async () => python }) };
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
