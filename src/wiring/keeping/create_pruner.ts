import { join } from "node:path";
import type { DeployerDatabase } from "../../database/index.ts";
import { Pruner } from "../../keeping/pruner.ts";
import type { PrunableRows, PrunableStore } from "../../keeping/prunable_store.ts";
import { ServedProcesses } from "../../mlops/bentoml/servers/served_process.ts";
import { ServerRecords } from "../../mlops/bentoml/servers/server_record.ts";
import { PrunableBentos } from "../../mlops/bentoml/pruning/prunable_bentos.ts";
import { PrunableLogs } from "../../mlops/bentoml/pruning/prunable_logs.ts";
import { PrunableLayers } from "../../mlops/images/prunable_layers.ts";
import { PrunableArtifacts } from "../../mlops/mlflow/artifacts/prunable_artifacts.ts";
import { PrunableWheels } from "../../platform/python/wheels/prunable_wheels.ts";
import { PrunableEnvironments } from "../../platform/python/prunable_environments.ts";
import { withFileLock } from "../../platform/processes/file_lock.ts";
import { openThreads } from "../../pipeline/kept_threads.ts";
import { OldThreads } from "../../worker/old_threads.ts";
import type { Configuration } from "../settings/configuration.ts";

type Places = Pick<Configuration, "home" | "cache">;

/** The removable things that lie on this machine's disk for a home. */
export function prunableStoresOf({ home, cache }: Places): PrunableStore[] {
  const runDirectory = join(home, "run");
  const bentos = join(home, "bentoml");
  const records = new ServerRecords(join(runDirectory, "servers"));
  return [
    new PrunableBentos({ home: bentos, cacheDirectory: cache, records }),
    new PrunableArtifacts(join(home, "artifacts")),
    // After the bentos, which need them.
    new PrunableEnvironments({ cacheDirectory: cache, home: bentos }),
    new PrunableWheels({ folder: join(bentos, "wheels"), cacheDirectory: cache }),
    new PrunableLayers(cache),
    new PrunableLogs({ runDirectory, records, processes: new ServedProcesses(runDirectory) }),
  ];
}

export function createPruner(
  configuration: Pick<Configuration, "home" | "cache" | "checkpointsUrl">,
  { keeping, oldRows }: Pick<DeployerDatabase, "keeping" | "oldRows">,
): Pruner {
  const { checkpointsUrl: url, home } = configuration;
  const rows: PrunableRows[] = [oldRows];
  if (url !== null) rows.push(new OldThreads(openThreads(url), (before) => oldRows.endedRollouts(before)));
  return new Pruner({
    facts: keeping,
    stores: prunableStoresOf(configuration),
    rows,
    alone: (work) => aloneInHome(home, work),
  });
}

const LOCK_MS = 1000;

/** Runs work while no prune, backup or restore of this home does; null where one does. */
export async function aloneInHome<T>(home: string, work: () => Promise<T>): Promise<T | null> {
  const signal = AbortSignal.timeout(LOCK_MS);
  try {
    return await withFileLock(join(home, ".locks", "keeping"), { signal }, work);
  } catch (error) {
    if (error === signal.reason) return null;
    throw error;
  }
}
