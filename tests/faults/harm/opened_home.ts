import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { connectModelDeployer } from "../../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../../src/wiring/model_deployer.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { stopHome } from "../../../src/platform/processes/homes/stop_home.ts";
import { throwAwayWithProcess } from "../../../src/platform/processes/homes/throwaway_home.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../support/services/scratch_database.ts";
import { mountSmallDisk, type SmallDisk } from "../../support/services/small_disk.ts";
import type { TestServices } from "../../support/services/test_services.ts";
import { Upstream } from "./upstream.ts";

export type Removed = "now" | "with this process";

/** A home with its database, and what is open on them. */
export interface OpenedHome {
  home: string;
  /** The disk of its own that the home lies on, which may be filled; the reason where there is none. */
  disk: SmallDisk | string;
  /** What a worker starts with. */
  environment: Record<string, string>;
  scratch: ScratchDatabase;
  deployer: ModelDeployer;
  upstream: Upstream;
  /** Ends all that runs in the home, and removes it: now, or with this process, where somebody may still be at work in it. */
  close(removed: Removed): Promise<void>;
}

/** Room for all that a world writes and keeps, and little enough to be filled within a second. */
const DISK_MB = 512;
/** Often, so that a worker that does harm does it soon. */
const RECONCILE_SECONDS = "1";
/** Sooner than by itself, so that what is silent is replaced within a row, and what is only late is in more danger. */
const LIVENESS = "5/2";

export async function openHome(services: TestServices): Promise<OpenedHome> {
  const closers: Closer[] = [];
  const close = async (removed: Removed) => {
    for (const end of closers.splice(0).reverse()) await end(removed);
  };
  try {
    return { ...(await opened(services, closers)), close };
  } catch (error) {
    await close("now");
    throw error;
  }
}

type Closer = (removed: Removed) => Promise<unknown>;

/** What is to be ended later goes into `closers`, as soon as it is there. */
async function opened(services: TestServices, closers: Closer[]): Promise<Omit<OpenedHome, "close">> {
  const folder = await mkdtemp(join(tmpdir(), "no-harm-"));
  const home = join(folder, "home");
  const scratch = await createScratchDatabase(services.databaseUrl);
  closers.push(() => scratch.drop());
  const throwAway = throwAwayWithProcess(folder);
  closers.push((removed) => (removed === "now" ? throwAway() : Promise.resolve()));
  const disk = await mountSmallDisk(DISK_MB, home);
  if (typeof disk !== "string") closers.push(() => disk.remove());
  const environment = {
    DATABASE_URL: scratch.url,
    REDIS_URL: services.redisUrl,
    ...mlflowEnvironment(services.mlflow),
    MODEL_DEPLOYER_HOME: home,
    MODEL_DEPLOYER_CACHE: services.cacheDirectory,
    MODEL_DEPLOYER_RECONCILE_SECONDS: RECONCILE_SECONDS,
    MODEL_DEPLOYER_LIVENESS_PRODUCTION: LIVENESS,
  };
  const upstream = await Upstream.start();
  closers.push(() => upstream.comeBack().then(() => upstream.goAway()));
  closers.push(() => stopHome(home));
  const deployer = await connectModelDeployer(readConfiguration(environment));
  closers.push(() => deployer.close());
  return { home, disk, environment, scratch, deployer, upstream };
}
