import { mkdtemp, readdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startLocalServices, stopLocalServices } from "../../src/platform/local_services.ts";
import { readProcess } from "../../src/platform/process_table.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** A server, with the right to create databases: see `createTestDatabase`. */
    databaseUrl: string;
    redisUrl: string;
    mlflowUrl: string;
    /** Where Python environments are kept, for `ensureToolsEnvironment` and `ensureModelEnvironment`. */
    cacheDirectory: string;
  }
}

const homePrefix = "model-deployer-tests-";

/**
 * Brings up one Postgres, Redis and MLflow for the run, except where DATABASE_URL, REDIS_URL or MLFLOW_TRACKING_URI
 * name one. With MODEL_DEPLOYER_TEST_HOME they run in that home and stay up, for the next run to find them ready.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const keptHome = process.env["MODEL_DEPLOYER_TEST_HOME"];
  const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
  await removeAbandonedHomes();
  const home = keptHome ?? (await mkdtemp(join(tmpdir(), `${homePrefix}${process.pid}-`)));
  const teardown = async () => {
    if (keptHome === undefined) await removeHome(home);
  };
  // An interrupted set-up ends what it has started; the runner itself ends a run that is interrupted later.
  const interruption = new AbortController();
  const interrupt = () => interruption.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  try {
    const named = {
      databaseUrl: process.env["DATABASE_URL"],
      redisUrl: process.env["REDIS_URL"],
      mlflowUrl: process.env["MLFLOW_TRACKING_URI"],
    };
    const local = await startLocalServices({
      homeDirectory: home,
      cacheDirectory,
      need: {
        postgres: named.databaseUrl === undefined,
        redis: named.redisUrl === undefined,
        mlflow: named.mlflowUrl === undefined,
      },
      onProgress: (line) => process.stderr.write(`${line}\n`),
      signal: interruption.signal,
    });
    project.provide("databaseUrl", named.databaseUrl ?? local.databaseUrl ?? "");
    project.provide("redisUrl", named.redisUrl ?? local.redisUrl ?? "");
    project.provide("mlflowUrl", named.mlflowUrl ?? local.mlflowUrl ?? "");
    project.provide("cacheDirectory", cacheDirectory);
    return teardown;
  } catch (error) {
    await teardown();
    throw error;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** A run that was killed leaves its home behind, named by its pid; the next one clears it away. */
async function removeAbandonedHomes(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = new RegExp(`^${homePrefix}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && (await readProcess(Number(pid))) === null)
      await removeHome(join(tmpdir(), name));
  }
}

async function removeHome(home: string): Promise<void> {
  await stopLocalServices(home);
  await rm(home, { recursive: true, force: true });
}
