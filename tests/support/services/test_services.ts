import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { type MLflowAccess, mlflowAccess } from "../../../src/wiring/settings/mlflow_settings.ts";
import { startLocalServices } from "../../../src/platform/services/local_services.ts";
import { throwAwayWithProcess } from "../../../src/platform/processes/homes/throwaway_home.ts";

import { untied } from "./tied_run.ts";

export interface TestServices {
  /** A server, with the right to create databases. */
  databaseUrl: string;
  redisUrl: string;
  mlflow: MLflowAccess;
  /** Where Python environments are kept, for `ensureToolsEnvironment` and `ensureModelEnvironment`. */
  cacheDirectory: string;
}

/**
 * Brings up one Postgres, Redis and MLflow in a home, except where DATABASE_URL, REDIS_URL or MLFLOW_TRACKING_URI name
 * one. Without `keep`, the home and all that runs in it go with `stop`, or with the run, however that ends: a runner skips
 * its teardown when it is interrupted.
 */
export async function startTestServices(options: {
  home: string;
  keep: boolean;
  cacheDirectory: string;
  onProgress: (line: string) => void;
}): Promise<{ services: TestServices; stop: () => Promise<void> }> {
  const { home, keep, cacheDirectory, onProgress } = options;
  const stop = keep ? async () => undefined : throwAwayWithProcess(home);
  try {
    const named = {
      databaseUrl: process.env["DATABASE_URL"],
      redisUrl: process.env["REDIS_URL"],
    };
    const brought = readConfiguration(process.env);
    const need = {
      postgres: named.databaseUrl === undefined,
      redis: named.redisUrl === undefined,
      mlflow: brought.mlflowUrl === null,
    };
    const start = () => startLocalServices({ homeDirectory: home, cacheDirectory, need, onProgress });
    const local = keep ? await untied(start) : await start();
    const services = {
      databaseUrl: named.databaseUrl ?? local.databaseOwnerUrl ?? "",
      redisUrl: named.redisUrl ?? local.redisUrl ?? "",
      mlflow: mlflowAccess(brought, local),
      cacheDirectory,
    };
    return { services, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
