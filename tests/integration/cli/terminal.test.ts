import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { CTRL_C, CTRL_D, onTerminal } from "../../support/programs/on_terminal.ts";
import { createWorld } from "../database/world.ts";
import { givenDeployer, givenInProduction, register } from "../../support/given/given_deployer.ts";
import { FaultProxy } from "../../faults/harness/fault_proxy.ts";

const SHOW_CURSOR = "\u001b[?25h";
const HIDE_CURSOR = "\u001b[?25l";
const COLOUR = /\u001b\[\d+m/;

/** The program's environment, with a home that goes when the test has finished. */
async function environmentOn(databaseUrl: string) {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-terminal-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  return {
    DATABASE_URL: databaseUrl,
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
    MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
    MODEL_DEPLOYER_HOME: home,
  };
}

const registration = ["apply", "register", "exp", "a".repeat(32)];

test.each([
  ["n", "n\r"],
  ["Ctrl-C", CTRL_C],
  ["Ctrl-D", CTRL_D],
])("%s at the question declines, and nothing is written", async (_, keys) => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const { code, seen, untyped } = await onTerminal(["apply", "promote", version, "staging"], {
    environment: await environmentOn(given.world.url),
    typed: [["[y/N]", keys]],
  });
  expect({ code, untyped }, seen).toEqual({ code: 3, untyped: [] });
  expect(seen).toMatch(/Carry it out\? \[y\/N\].*\s+Nothing was changed\.\s*$/);
  expect(await given.db.modelVersions.get(version)).toMatchObject({ stage: "development" });
});

test("Ctrl-C while something is under way ends it in order, and the terminal has its cursor again", async () => {
  const { url } = await createWorld();
  const environment = await environmentOn(url);
  const { proxy, url: registry } = await FaultProxy.beforeUrl(environment.MLFLOW_TRACKING_URI);
  onTestFinished(() => proxy.close());
  await proxy.set("black_hole");
  const { code, written, seen } = await onTerminal([...registration, "--yes"], {
    environment: { ...environment, MLFLOW_TRACKING_URI: registry },
    typed: [[HIDE_CURSOR, CTRL_C]],
  });
  expect(code, seen).toBe(130);
  expect(seen).toContain("interrupted  Interrupted before its end");
  expect(written.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(written.lastIndexOf(HIDE_CURSOR));
});

test("a status that is watched fits a narrow terminal, and Ctrl-C ends it with its cursor back", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const { code, written, seen } = await onTerminal(["status", "--watch"], {
    environment: await environmentOn(given.world.url),
    columns: 40,
    typed: [["100 %", CTRL_C]],
  });
  expect(code, seen).toBe(0);
  expect(written).toMatch(COLOUR);
  expect(written.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(written.lastIndexOf(HIDE_CURSOR));
  expect(seen).toContain("██████████ 100 %  e2i_remission:v1\n");
  expect(seen.split("\n").filter((line) => line.length > 40)).toEqual([]);
});

test("NO_COLOR is honoured on a terminal", async () => {
  const { url } = await createWorld();
  const environment = { ...(await environmentOn(url)), NO_COLOR: "1" };
  const { code, written } = await onTerminal(["status"], { environment });
  expect(code).toBe(0);
  expect(written).not.toMatch(COLOUR);
});
