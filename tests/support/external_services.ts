import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { startLocalServices } from "../../src/platform/local_services.ts";

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

const guardianPath = fileURLToPath(new URL("./guardian.ts", import.meta.url));

/**
 * Brings up one Postgres, Redis and MLflow for the run, except where DATABASE_URL, REDIS_URL or MLFLOW_TRACKING_URI
 * name one. With MODEL_DEPLOYER_TEST_HOME they run in that home and stay up, for the next run to find them ready.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const keptHome = process.env["MODEL_DEPLOYER_TEST_HOME"];
  const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
  const home = keptHome ?? (await mkdtemp(join(tmpdir(), "model-deployer-tests-")));
  const teardown = keptHome === undefined ? guard(home) : async () => undefined;
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
    });
    project.provide("databaseUrl", named.databaseUrl ?? local.databaseUrl ?? "");
    project.provide("redisUrl", named.redisUrl ?? local.redisUrl ?? "");
    project.provide("mlflowUrl", named.mlflowUrl ?? local.mlflowUrl ?? "");
    project.provide("cacheDirectory", cacheDirectory);
    return teardown;
  } catch (error) {
    await teardown();
    throw error;
  }
}

/** The runner skips its teardown when it is interrupted, so that a process of its own sees to the end of the services. */
function guard(home: string): () => Promise<void> {
  const guardian = spawn(process.execPath, [guardianPath, home], {
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(guardian, "exit");
  return async () => {
    guardian.stdin.end();
    await ended;
  };
}
