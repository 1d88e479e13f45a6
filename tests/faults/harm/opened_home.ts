import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createModelDeployer,
  type ModelDeployer,
} from "../../../src/agents/model_deployer/create_model_deployer.ts";
import { readConfiguration } from "../../../src/configuration.ts";
import { stopHome } from "../../../src/platform/stop_home.ts";
import { throwAwayWithProcess } from "../../../src/platform/throwaway_home.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../support/scratch_database.ts";
import type { TestServices } from "../../support/test_services.ts";
import { mountSmallDisk, unmountSmallDisk } from "./small_disk.ts";
import { Upstream } from "./upstream.ts";

/** A home with its database, and what is open on them. */
export interface OpenedHome {
  home: string;
  /** Whether the home lies on a disk of its own, which may be filled. */
  hasSmallDisk: boolean;
  /** What a worker starts with. */
  environment: Record<string, string>;
  scratch: ScratchDatabase;
  deployer: ModelDeployer;
  upstream: Upstream;
  /** Ends all that runs in the home, and removes it. */
  close(): Promise<void>;
}

/** Often, so that a worker that does harm does it soon. */
const RECONCILE_SECONDS = "1";

export async function openHome(services: TestServices): Promise<OpenedHome> {
  const folder = await mkdtemp(join(tmpdir(), "no-harm-"));
  const home = join(folder, "home");
  const hasSmallDisk = await mountSmallDisk(home);
  const throwAway = throwAwayWithProcess(folder);
  const scratch = await createScratchDatabase(services.databaseUrl);
  const environment = {
    DATABASE_URL: scratch.url,
    REDIS_URL: services.redisUrl,
    MLFLOW_TRACKING_URI: services.mlflowUrl,
    MODEL_DEPLOYER_HOME: home,
    MODEL_DEPLOYER_CACHE: services.cacheDirectory,
    MODEL_DEPLOYER_RECONCILE_SECONDS: RECONCILE_SECONDS,
  };
  const deployer = await createModelDeployer(readConfiguration(environment));
  const upstream = await Upstream.start();
  const close = async () => {
    await deployer.close();
    await stopHome(home);
    await upstream.comeBack();
    await upstream.goAway();
    if (hasSmallDisk) await unmountSmallDisk(home);
    await throwAway();
    await scratch.drop();
  };
  return { home, hasSmallDisk, environment, scratch, deployer, upstream, close };
}
