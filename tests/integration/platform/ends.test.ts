import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { stopHome } from "../../../src/platform/processes/homes/stop_home.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import { startProgram, type Way, WAYS } from "../../support/programs/ended_program.ts";
import { createWorld } from "../database/world.ts";

/** Where the program has its home and its temporary files; socket paths are short. */
async function places() {
  const folder = await mkdtemp(join(tmpdir(), "e-"));
  const home = join(folder, "home");
  onTestFinished(async () => {
    await stopHome(home);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  return { folder, home };
}

async function environmentOf({ folder, home }: { folder: string; home: string }, databaseUrl: string) {
  return {
    DATABASE_URL: databaseUrl,
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
    MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
    MODEL_DEPLOYER_HOME: home,
    TMPDIR: folder,
  };
}

/** A throwaway home is gone as soon as its guardian has ended, and with it whatever its programs had under way. */
async function becomesEmpty(folder: string): Promise<void> {
  const left = async () => (await readdir(folder)).filter((name) => name !== "home");
  await expect.poll(left, { timeout: 600_000, interval: 25 }).toEqual([]);
}

/** A folder by a part of its name, in the folder of a run; null as long as there is none. */
async function foundBelow(folder: string, part: string): Promise<string | null> {
  const runs = (await readdir(folder)).filter((name) => name.startsWith("t-"));
  const names = await Promise.all(runs.map((run) => readdir(join(folder, run)).catch(() => [])));
  return names.flat().find((name) => name.includes(part)) ?? null;
}

test.for(WAYS)(
  "a worker that is ended by %s leaves nothing running and no lease, and is known to have ended",
  async (way) => {
    const { url, db, sql } = await createWorld();
    const where = await places();
    const program = await startProgram(
      [process.execPath, "src/cli/main.ts", "worker"],
      await environmentOf(where, url),
    );
    await program.until("the worker begins");
    const printed = await program.end(way);
    if (way !== "a closed terminal") expect(printed).toContain("the worker has ended");
    expect(await db.overview.workers()).toEqual([]);
    expect(await sql("select name from ml_leases where not released")).toEqual([]);
  },
);

test.for(WAYS)(
  "Studio that is ended by %s leaves nothing of its own running, and says what goes on",
  async (way) => {
    const where = await places();
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const program = await startProgram(
      [
        ...[process.execPath, "scripts/studio.ts", `--port=${port}`, "--"],
        ...[process.execPath, "tests/support/programs/pretended_studio.ts"],
      ],
      { MODEL_DEPLOYER_HOME: where.home },
    );
    await program.until("listening on");
    const printed = await program.end(way);
    if (way !== "a closed terminal")
      expect(printed).toContain(`Redis of this home goes on running; "model-deployer down" stops it.`);
  },
);

test("Studio takes the next port where its own is taken, and refuses one that is none", async () => {
  const where = await places();
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "localhost", resolve));
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const studio = (asked: string) =>
    startProgram(
      [
        ...[process.execPath, "scripts/studio.ts", `--port=${asked}`, "--"],
        ...[process.execPath, "tests/support/programs/pretended_studio.ts"],
      ],
      { MODEL_DEPLOYER_HOME: where.home },
    );
  const beside = await studio(String(port));
  await beside.until("listening on");
  const printed = await beside.end("Ctrl-C");
  expect(printed).toMatch(new RegExp(`port ${port} is taken, so Studio's server is at \\d+`));
  expect(printed).not.toContain(`listening on ${port}\r`);
  const refused = await studio("70000");
  await refused.until(`--port "70000" is no port`);
  await refused.until("ENDED 2");
  await refused.end("SIGTERM");
});

test.for(WAYS)(
  "the demo that is ended by %s while it begins leaves neither a process nor its home",
  async (way: Way) => {
    const where = await places();
    const scratch = await createTestDatabase();
    onTestFinished(() => scratch.drop());
    const program = await startProgram(
      [process.execPath, "demo/main.ts"],
      await environmentOf(where, scratch.url),
    );
    await program.until("training three classifiers");
    await program.end(way);
    await becomesEmpty(where.folder);
  },
);

test.for(WAYS)(
  "the fault suite that is ended by %s leaves neither a process nor a home",
  async (way: Way) => {
    const where = await places();
    const program = await startProgram(
      [process.execPath, "tests/faults/main.ts", "--row=traffic-switches", "--extent=selection"],
      await environmentOf(where, inject("databaseUrl")),
    );
    await program.until("traffic-switches:");
    const what = "the row's home";
    await pollUntil(() => foundBelow(where.folder, "switches"), { deadlineMs: 300_000, what });
    await program.end(way);
    await becomesEmpty(where.folder);
  },
);
