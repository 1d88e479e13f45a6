import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, onTestFinished, test } from "vitest";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { endFolder } from "../../../src/platform/processes/homes/ended_folder.ts";
import { childEnvironment } from "../../../src/platform/processes/managed_process.ts";
import { processesMarked } from "../../faults/processes/marked_processes.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");

/** Tests on a real Envoy, cut off while one runs; all that they make lies in a folder of this test. */
async function givenRun() {
  const folder = await mkdtemp(join(tmpdir(), "k-"));
  onTestFinished(async () => {
    for (const name of await readdir(folder)) await endFolder(join(folder, name));
    await rm(folder, { recursive: true, force: true });
  });
  const services = {
    DATABASE_URL: inject("databaseUrl"),
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
    MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
  };
  const words = ["run", "--project", "external", "tests/integration/envoy/lifecycle.test.ts"];
  const run = spawn(process.execPath, [vitest, ...words], {
    cwd: root,
    env: childEnvironment({ TMPDIR: folder, ...services }),
    stdio: "ignore",
  });
  const exit = once(run, "exit");
  const hasEnvoy = async () =>
    (await processesMarked(folder)).some(
      ({ command }) => command.includes("envoy") && !command.includes("vitest"),
    );
  await expect.poll(hasEnvoy).toBe(true);
  return { folder, run, exit };
}

test.each(["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const)(
  "a run of tests that is ended by %s leaves neither a process nor a folder",
  async (signal) => {
    const { folder, run, exit } = await givenRun();
    run.kill(signal);
    await exit;
    await expect.poll(() => processesMarked(folder)).toEqual([]);
    await expect.poll(() => readdir(folder)).toEqual([]);
  },
);
