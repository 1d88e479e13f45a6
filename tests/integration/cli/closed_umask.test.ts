import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, inject, onTestFinished, test } from "vitest";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { stopHome } from "../../../src/platform/processes/homes/stop_home.ts";

const isRoot = process.getuid?.() === 0;

test.runIf(isRoot)(
  "root's umask may close everything to others: the home's Postgres, which is another user's, comes up",
  async () => {
    const home = await mkdtemp(join(tmpdir(), "model-deployer-umask-"));
    onTestFinished(async () => {
      await stopHome(home);
      await rm(home, { recursive: true, force: true, maxRetries: 5 });
    });
    const environment = {
      MODEL_DEPLOYER_HOME: home,
      MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
      DATABASE_URL: "",
      REDIS_URL: inject("redisUrl"),
      ...mlflowEnvironment(inject("mlflow")),
    };
    const words = [process.execPath, "src/cli/main.ts", "status", "--json"];
    const run = await execa("sh", ["-c", 'umask 077; exec "$0" "$@"', ...words], {
      env: environment,
      reject: false,
    });
    expect(run.exitCode).toBe(0);
    expect(run.stdout).toContain('"endpoints": []');
  },
);
