import type { DeployerDatabase } from "../../database/index.ts";
import type { Upkeep } from "../../worker/upkeep.ts";
import { roomOf } from "../../platform/disk/disk_room.ts";
import { reviveServices } from "../../platform/services/revived_services.ts";
import { SizeHistory } from "../../platform/disk/size_history.ts";
import { count } from "../../agents/model_deployer/planning/wording/count.ts";
import { sizeText } from "../../keeping/kept_quantities.ts";
import type { PrunePolicy } from "../../keeping/decide_prune.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { Pruner } from "../../keeping/pruner.ts";
import { ConflictError } from "../../agents/model_deployer/errors.ts";
import type { EndpointIngress } from "../../agents/model_deployer/ports/ingress_ports.ts";
import { renewJwks } from "../../service/ingress/renewed_jwks.ts";
import { rehearseHome } from "./rehearsed_home.ts";
import { createPruner } from "./create_pruner.ts";

const HOUR_MS = 3600 * 1000;
const STORES_MS = 10_000;
/** Longer than a registry waits for servers after a restart of the machine. */
const REGISTRY_MS = 60_000;
const REHEARSAL_MS = HOUR_MS / 2;
/** Issuers show a new key long before they sign by it. */
const KEYS_MS = 10 * 60 * 1000;
const KEYS_LIMIT_MS = 60_000;
const DAY_SECONDS = 86_400;
/** By age where no age is configured: nothing is as old as that. */
const NEVER_SECONDS = 3650 * DAY_SECONDS;

/** The policy that a worker prunes by, or null where it removes nothing by itself. */
export function prunePolicyOf({ pruneDays, pruneBytes }: Configuration["keeping"]): PrunePolicy | null {
  if (pruneDays === null && pruneBytes === null) return null;
  return {
    older_than_seconds: pruneDays === null ? NEVER_SECONDS : pruneDays * DAY_SECONDS,
    keep_under_bytes: pruneBytes,
  };
}

/**
 * A worker's duties of now and then: it prunes the disk, rehearses ways back, renews issuers' keys, restarts services.
 */
export function upkeepOf(
  configuration: Configuration,
  database: DeployerDatabase,
  ingress: EndpointIngress | null,
): Upkeep[] {
  const { rehearseHours: hours } = configuration.keeping;
  const pruning = {
    name: "pruning",
    every_ms: HOUR_MS,
    work: () => keepWithinPolicy(configuration, database),
  };
  const renewing = {
    name: "keys of issuers",
    every_ms: KEYS_MS,
    work: () => renewJwks({ database, ingress }, AbortSignal.timeout(KEYS_LIMIT_MS)),
  };
  const always = [pruning, ...ownServicesOf(configuration), ...(ingress === null ? [] : [renewing])];
  if (hours === null) return always;
  const work = () => rehearseNow(configuration, database);
  return [...always, { name: "rehearsal", every_ms: hours * HOUR_MS, work }];
}

/** Services of the home are brought up again when they die; the registry, whose start takes most, less often. */
function ownServicesOf({ databaseUrl, redisUrl, mlflowUrl, home, cache }: Configuration): Upkeep[] {
  const where = { homeDirectory: home, cacheDirectory: cache };
  const none = { postgres: false, redis: false, mlflow: false };
  const stores = { ...none, postgres: databaseUrl === null, redis: redisUrl === null };
  const registry = { ...none, mlflow: mlflowUrl === null };
  return [
    { name: "its own stores", every_ms: STORES_MS, work: () => reviveServices({ ...where, need: stores }) },
    {
      name: "its own registry",
      every_ms: REGISTRY_MS,
      work: () => reviveServices({ ...where, need: registry }),
    },
  ];
}

async function rehearseNow(configuration: Configuration, database: DeployerDatabase): Promise<string[]> {
  const asked = { endpointName: null, by: "worker", signal: AbortSignal.timeout(REHEARSAL_MS) };
  const rehearsals = await rehearseHome(configuration, database, asked);
  return rehearsals.map(({ endpoint_name, outcome, cold_seconds, reason }) => {
    const time = cold_seconds === null ? "" : ` in ${cold_seconds.toFixed(1)} s`;
    return `the way back of ${endpoint_name} ${outcome}${time}: ${reason}`;
  });
}

async function keepWithinPolicy(configuration: Configuration, database: DeployerDatabase): Promise<string[]> {
  const pruner = createPruner(configuration, database);
  const policy = prunePolicyOf(configuration.keeping);
  const said = policy === null ? [] : await pruneBy(policy, pruner);
  await noteSize(configuration, await pruner.plan(policy ?? nothing));
  return said;
}

async function pruneBy(policy: PrunePolicy, pruner: Pruner): Promise<string[]> {
  try {
    const { removed, rows } = await pruner.prune(policy);
    const bytes = removed.reduce((sum, one) => sum + one.bytes, 0);
    const gone = rows.reduce((sum, one) => sum + one.rows, 0);
    return [
      ...(removed.length > 0 ? [`pruned ${count(removed.length, "thing")} of ${sizeText(bytes)}`] : []),
      ...(gone > 0 ? [`pruned ${count(gone, "old row")}`] : []),
    ];
  } catch (error) {
    // Another worker of this home is at it.
    if (error instanceof ConflictError) return [];
    throw error;
  }
}

const nothing: PrunePolicy = { older_than_seconds: NEVER_SECONDS, keep_under_bytes: null };

async function noteSize({ home }: Configuration, kept: { kept_bytes: number }): Promise<void> {
  const [room] = await roomOf([home]);
  const free_bytes = room?.free_bytes ?? 0;
  await new SizeHistory(home).add({ at: new Date().toISOString(), bytes: kept.kept_bytes, free_bytes });
}
