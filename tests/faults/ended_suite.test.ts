import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, inject, onTestFinished, test } from "vitest";
import { mlflowEnvironment } from "../../src/wiring/settings/mlflow_settings.ts";
import { childEnvironment } from "../../src/platform/processes/managed_process.ts";
import { installEnvironment } from "../../src/platform/python/requirements/index_settings.ts";
import { processesMarked } from "./processes/marked_processes.ts";

const program = fileURLToPath(new URL("./main.ts", import.meta.url));

/** The suite at work in a folder of its own, with a worker under way in its home. */
async function givenSuite() {
  const folder = await mkdtemp(join(tmpdir(), "ended-suite-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const environment = childEnvironment({
    // It resolves what a model requires.
    ...installEnvironment(),
    TMPDIR: folder,
    DATABASE_URL: inject("databaseUrl"),
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
    MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
  });
  const suite = spawn(process.execPath, [program, "--row=late-probes", "--extent=selection"], {
    env: environment,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const isWorking = async () =>
    (await processesMarked(folder)).some(({ command }) => command.endsWith("worker"));
  await expect.poll(isWorking).toBe(true);
  return { folder, suite };
}

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "ended by %s, the suite leaves no process, no mount and no folder",
  async (signal) => {
    const { folder, suite } = await givenSuite();
    const exit = once(suite, "exit");
    suite.kill(signal);
    expect(await exit).toEqual([1, null]);
    await expect.poll(() => processesMarked(folder)).toEqual([]);
    expect(await readFile("/proc/mounts", "utf8")).not.toContain(folder);
    await expect
      .poll(async () => (await readdir(folder)).filter((name) => name.startsWith("no-harm-")))
      .toEqual([]);
  },
);
