import type { Configuration } from "./settings/configuration.ts";
import type { DeployerDatabase } from "../database/index.ts";
import { OsvVulnerabilities } from "../mlops/vulnerabilities/osv_vulnerabilities.ts";
import { PrometheusMetrics } from "../mlops/prometheus/prometheus_metrics.ts";
import { routerRunDirectories } from "../mlops/envoy/endpoint_folder.ts";
import { startBoundingLogs } from "../platform/processes/bounded_log.ts";
import { serviceRunDirectory } from "../platform/services/local_service.ts";
import type { DiskReserve } from "../platform/disk/disk_reserve.ts";
import type { ToolsEnvironment } from "../platform/python/python_environment.ts";
import type { Telemetry, WorkerObservation } from "../telemetry/telemetry.ts";
import { noticeSender } from "./notice_sender.ts";
import { Worker } from "../worker/worker.ts";
import { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import { createCapabilities } from "../agents/model_deployer/capabilities.ts";
import type { Addresses } from "./settings/resolved_addresses.ts";
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

/** The parts that are there before the first question to the database is answered. */
export interface OpenedHome {
  telemetry: Telemetry;
  addresses: Addresses;
  tools: ToolsEnvironment;
  reserve: DiskReserve;
  /** Its files are let go where a write has no room on the home's disk. */
  makeRoom: () => boolean;
  database: DeployerDatabase;
  secrets: SecretKeeper;
  /** Why the database's rights hold less than they should; null: they hold. */
  degraded: string | null;
}

/** The agent, its worker and all that they ask, over an opened home. @throws ConfigurationError | ServiceUnavailableError */
export async function assembleOverHome(
  configuration: Configuration,
  opened: OpenedHome,
  options: ModelDeployerOptions,
): Promise<ModelDeployer> {
  const { telemetry, addresses, tools, reserve, makeRoom, database, secrets, degraded } = opened;
  const memory = await createMemories(configuration, addresses, options);
  const ingressOf = (name: string) => database.ingressPolicies.wanted(name);
  const engine = { ...configuration, makeRoom, ingressOf, database };
  const parts: Parts = {
    database,
    ...(await createEngine(engine, addresses, tools, options)),
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
