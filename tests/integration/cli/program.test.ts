import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { expect, inject, onTestFinished, test } from "vitest";
import { z } from "zod";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { doctorReportSchema } from "../../../src/service/machine/machine_schemas.ts";
import { FaultProxy } from "../../faults/harness/fault_proxy.ts";
import { program } from "../../support/given/given_cli.ts";
import { givenDeployer, givenInProduction } from "../../support/given/given_deployer.ts";
import { createWorld } from "../database/world.ts";

const doctorDocument = z.object({ data: doctorReportSchema });

test("doctor says of each part what is down, within its own time, and shows no secret", async () => {
  const { code, out, err } = await program(
    "postgresql://ana:hunter2@127.0.0.1:1/none",
    ["doctor", "--json"],
    {
      REDIS_URL: "redis://:hunter2@127.0.0.1:1",
      MLFLOW_TRACKING_URI: "http://127.0.0.1:1",
      MODEL_DEPLOYER_TOKEN: "hunter2-is-a-long-secret",
    },
  );
  expect({ code, err }).toEqual({ code: 6, err: "" });
  expect(out).not.toContain("hunter2");
  const { data } = doctorDocument.parse(JSON.parse(out));
  const stateOf = (part: string) => data.checks.find((check) => check.part === part)?.state;
  expect(data.state).toBe("down");
  expect(["postgres", "redis", "mlflow", "home"].map(stateOf)).toEqual(["down", "down", "down", "down"]);
  expect(stateOf("node")).toBe("ok");
  expect(data.checks.filter((check) => check.state !== "ok" && check.advice === null)).toEqual([]);
});

test("doctor finds a real Postgres migrated, and nobody at work", async () => {
  const { url } = await createWorld();
  const { out } = await program(url, ["doctor", "--json"]);
  const { data } = doctorDocument.parse(JSON.parse(out));
  const found = (part: string) => data.checks.find((check) => check.part === part);
  expect(found("postgres")).toMatchObject({ state: "ok" });
  expect(found("worker")).toMatchObject({ state: "degraded", found: "none was ever seen" });
});

test("doctor finds what the reconciler would, a server that is gone included, and repairs nothing", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenInProduction(given, "run1");
  const { out } = await program(given.world.url, ["doctor", "--json"]);
  const { data } = doctorDocument.parse(JSON.parse(out));
  const drift = data.checks.find((check) => check.part === "drift");
  expect(drift).toMatchObject({ state: "degraded", advice: "model-deployer reconcile" });
  expect(drift?.found).toBe(
    `${deployment} has absent and not ready with e2i_remission:v1, for 100 % of the traffic, and 1 more`,
  );
  expect(data.configuration).toMatchObject({ "telemetry.logLevel": "silent" });
});

test("what is wrong with the words or the environment is told on stderr, with exit code 2", async () => {
  const { url } = await createWorld();
  const words = await program(url, ["pause", "somewhere"]);
  expect(words).toMatchObject({ code: 2, out: "" });
  expect(words.err).toContain("--reason");
  const environment = await program(url, ["status"], { MODEL_DEPLOYER_LEASE_SECONDS: "soon" });
  expect(environment.code).toBe(2);
  expect(environment.err).toContain("MODEL_DEPLOYER_LEASE_SECONDS");
  const told = await program(url, ["status"]);
  expect(told).toMatchObject({ code: 0, out: "no endpoint is open" });
  // A terminal that waits is told what for.
  expect(told.err).toMatch(/^(connecting to Postgres \.\.\.)?$/);
});

/** Runs a worker until `isEnough` says so of an event, ends it with SIGTERM, and gives all events. */
async function workUntil(
  url: string,
  isEnough: (event: string) => boolean,
  env: Record<string, string> = {},
) {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-worker-"));
  const worker = execa(process.execPath, ["src/cli/main.ts", "worker", "--json"], {
    env: {
      DATABASE_URL: url,
      REDIS_URL: inject("redisUrl"),
      ...mlflowEnvironment(inject("mlflow")),
      MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
      MODEL_DEPLOYER_HOME: home,
      ...env,
    },
    reject: false,
    timeout: 600_000,
  });
  const events: string[] = [];
  for await (const line of worker) {
    const { event } = z.object({ event: z.string() }).parse(JSON.parse(line));
    events.push(event);
    if (isEnough(event)) worker.kill("SIGTERM");
  }
  const { exitCode } = await worker;
  await rm(home, { recursive: true, force: true });
  return { exitCode, events };
}

test("a worker is seen while it works, and ends with SIGTERM, its lease released, with exit code 0", async () => {
  const { url, db, sql } = await createWorld();
  const worked = await workUntil(url, (event) => event === "started");
  expect(worked).toEqual({ exitCode: 0, events: ["started", "stopped"] });
  expect(await db.overview.workers()).toEqual([]);
  expect(await sql("select count(*)::int as seen from ml_workers")).toEqual([{ seen: 1 }]);
});

test.for(["refuse", "black_hole"] as const)(
  "a worker whose checkpoints meet %s says so, works, and ends with SIGTERM",
  async (fault) => {
    const { url } = await createWorld();
    const checkpoints = await FaultProxy.beforeUrl(url);
    onTestFinished(() => checkpoints.proxy.close());
    await checkpoints.proxy.set(fault);
    const env = { MODEL_DEPLOYER_CHECKPOINTS_URL: checkpoints.url };
    const { exitCode, events } = await workUntil(url, (event) => event === "started", env);
    expect({ exitCode, events }).toEqual({ exitCode: 0, events: ["checkpoints", "started", "stopped"] });
    const { out } = await program(url, ["doctor", "--json"], env);
    const { checks } = doctorDocument.parse(JSON.parse(out)).data;
    expect(checks.find(({ part }) => part === "checkpoints")).toMatchObject({ state: "down" });
  },
);

test("doctor finds the checkpoints of a worker that has kept some", async () => {
  const { url } = await createWorld();
  const doctor = async () => {
    const { out } = await program(url, ["doctor", "--json"], { MODEL_DEPLOYER_CHECKPOINTS_URL: url });
    const { checks } = doctorDocument.parse(JSON.parse(out)).data;
    return checks.find(({ part }) => part === "checkpoints");
  };
  expect(await doctor()).toMatchObject({ state: "degraded", found: "answers, but holds no threads yet" });
  await workUntil(url, (event) => event === "started", { MODEL_DEPLOYER_CHECKPOINTS_URL: url });
  expect(await doctor()).toMatchObject({ state: "ok" });
});
