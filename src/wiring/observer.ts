import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import type { EpisodicMemory, ProceduralMemory } from "../agents/model_deployer/ports/memory_ports.ts";
import type { ModelPackager } from "../agents/model_deployer/ports/model_packager_port.ts";
import type { InstalledEngines } from "../agents/model_deployer/domain/servers/engines.ts";
import type { SamplePredictions } from "../agents/model_deployer/ports/model_server_port.ts";
import type { SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import type { TeamMetrics } from "../agents/model_deployer/ports/evidence/team_metrics_port.ts";
import type { KnownVulnerabilities } from "../agents/model_deployer/ports/vulnerability_port.ts";
import type { Configuration } from "./settings/configuration.ts";
import { installedEngines } from "./engines/installed_engines.ts";
import { type ObservedEngines, observedEngines } from "./engines/observed_engines.ts";
import { createDatabase, type DeployerDatabase } from "../database/index.ts";
import { SupabaseEpisodicMemory } from "../memory/episodic_memory.ts";
import { SupabaseProceduralMemory } from "../memory/procedural_memory.ts";
import { createMemoryClient } from "../memory/supabase_client.ts";
import { packagesIn } from "../mlops/bentoml/packaging/bento_packages.ts";
import { OsvVulnerabilities } from "../mlops/vulnerabilities/osv_vulnerabilities.ts";
import { PrometheusMetrics } from "../mlops/prometheus/prometheus_metrics.ts";
import type { Pruner } from "../keeping/pruner.ts";
import { homeSecrets } from "./home/home_secrets.ts";
import { roomOf, shortages } from "../platform/disk/disk_room.ts";
import { findToolsEnvironment } from "../platform/python/python_environment.ts";
import { listProgress, type WorkProgress } from "../platform/work/work_progress.ts";
import { startLocalServices } from "../platform/services/local_services.ts";

export interface Observer extends ObservedEngines {
  database: DeployerDatabase;
  secrets: SecretKeeper;
  /** Of the tables' owner. */
  ownerUrl: string;
  /** The engines that are configured where it looks. */
  engines: InstalledEngines;
  episodicMemory: Pick<EpisodicMemory, "recent">;
  proceduralMemory: Pick<ProceduralMemory, "experience">;
  /** Null where no server of the team's metrics is configured. */
  teamMetrics: TeamMetrics | null;
  /** The packages of a bento of this home, by its tag; null where there is none. */
  listPackages: ModelPackager["listPackages"];
  /** Left out where nobody brought entries of known ones. */
  vulnerabilities?: KnownVulnerabilities;
  /** Sentences about disks that are nearly full. */
  shortages(): Promise<string[]>;
  /** Removes things from this machine's disk; loaded for whoever removes some. */
  pruner(): Promise<Pruner>;
  /** Long work under way on this machine: environments, artifacts and bentos, whoever asked for them. */
  underWay(): Promise<WorkProgress[]>;
  close(): Promise<void>;
}

export interface ObserverOptions {
  /** Receives lines for people about work that takes long. */
  onProgress?: (line: string) => void;
  /** Called with the name of each service that this call starts in the home. */
  onBegun?: (service: string) => void;
}

/**
 * Opens only the parts that looking and deciding need: no Python environment is made and neither Redis nor MLflow is
 * started. An embedded Postgres is, where no address of one is configured.
 * @throws ConfigurationError | ServiceUnavailableError
 */
export async function openObserver(
  configuration: Configuration,
  options: ObserverOptions = {},
): Promise<Observer> {
  const { home, cache, lowDiskBytes, supabaseUrl, supabaseKey } = configuration;
  const { databaseUrl, ownerUrl } = await databaseUrls(configuration, options);
  const holder = `${hostname()}:${process.pid}:${randomUUID()}`;
  const database = createDatabase({ url: databaseUrl, ownerUrl, holder, pool: { maximumConnections: 4 } });
  await database.migrate({ installation: configuration.installation });
  const memory = createMemoryClient({
    databaseUrl,
    supabaseUrl: supabaseUrl ?? undefined,
    supabaseKey: supabaseKey ?? undefined,
  });
  const { server, ...observed } = await observedEngines(configuration, database);
  return {
    ...{ database, ownerUrl, secrets: homeSecrets(configuration) },
    server: {
      observe: (id, asking) => server.observe(id, asking),
      trySample: seldom((id, asking) => server.trySample(id, asking)),
    },
    ...observed,
    engines: installedEngines(configuration),
    episodicMemory: new SupabaseEpisodicMemory(memory),
    proceduralMemory: new SupabaseProceduralMemory(memory),
    teamMetrics: configuration.prometheus && new PrometheusMetrics(configuration.prometheus),
    listPackages: packagesIn(join(home, "bentoml"), cache),
    ...vulnerabilitiesOf(configuration),
    shortages: async () => shortages(await roomOf([home, cache]), lowDiskBytes),
    pruner: async () => {
      const { createPruner } = await import("./keeping/create_pruner.ts");
      return createPruner(configuration, database);
    },
    underWay: () => underWayIn(configuration),
    close: async () => {
      await memory.close();
      await database.close();
    },
  };
}

/** Looked up by the tools' Python, which whoever only looks does not make. */
function vulnerabilitiesOf({
  vulnerabilities: place,
  cache,
}: Configuration): Pick<Observer, "vulnerabilities"> {
  if (place === null) return {};
  const python = async () => (await findToolsEnvironment({ cacheDirectory: cache }))?.python ?? null;
  return { vulnerabilities: new OsvVulnerabilities({ place, python }) };
}

/** Reads the progress files that long work writes into its folder. */
export async function underWayIn({
  home,
  cache,
}: Pick<Configuration, "home" | "cache">): Promise<WorkProgress[]> {
  const folders = [join(cache, "environments"), join(home, "artifacts"), join(home, "bentoml", "building")];
  return (await Promise.all(folders.map(listProgress))).flat();
}

/** `status --watch` asks each second, and a prediction costs a server more than that. */
const SAMPLE_EVERY_MS = 10_000;

function seldom(trySample: SamplePredictions["trySample"]): SamplePredictions["trySample"] {
  const asked = new Map<string, { at: number; outcome: ReturnType<typeof trySample> }>();
  return (deploymentId, options) => {
    const last = asked.get(deploymentId);
    if (last !== undefined && performance.now() - last.at < SAMPLE_EVERY_MS) return last.outcome;
    const outcome = trySample(deploymentId, options);
    asked.set(deploymentId, { at: performance.now(), outcome });
    return outcome;
  };
}

async function databaseUrls(configuration: Configuration, options: ObserverOptions) {
  const { home, cache, databaseUrl: given, databaseOwnerUrl } = configuration;
  if (given !== null) return { databaseUrl: given, ownerUrl: databaseOwnerUrl ?? given };
  const need = { postgres: true, redis: false, mlflow: false };
  const { databaseUrl = "", databaseOwnerUrl: ownerUrl = "" } = await startLocalServices({
    homeDirectory: home,
    cacheDirectory: cache,
    need,
    ...options,
  });
  return { databaseUrl, ownerUrl };
}
