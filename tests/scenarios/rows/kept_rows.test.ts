import { expect, test } from "vitest";
import type { KeptRowSettings } from "../../../src/agents/model_deployer/domain/evidence/kept_rows.ts";
import { ProductionCriteriaNotMetError } from "../../../src/agents/model_deployer/errors.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
} from "../../../src/testing/index.ts";

const KEPT: KeptRowSettings = { sample: 1, most: 50, hidden: ["name"], hashed: [], on_errors: "refuse" };

/** A version in production whose policy keeps rows, with 60 requests behind it, and another one that is ready for it. */
async function givenKeptRows(kept: object = KEPT) {
  const given = await createTestDeployer();
  const { deployment: old } = await inProduction(given, "run1");
  given.router.sendTraffic(ENDPOINT, 2000);
  const { policy_id: _, ...policy } = await given.database.experiments.getGatePolicy(EXPERIMENT);
  await given.database.experiments.setGatePolicy(
    EXPERIMENT,
    { ...policy, kept_rows: { ...KEPT, ...kept } },
    "ana",
  );
  await whenTheWorkerLooks(given);
  for (let number = 1; number <= 60; number += 1) {
    const row = { path: "/predict", input: { features: { age: number, name: null } } };
    const line = { request_id: `r${number}`, prediction: number % 2, score: null, row };
    given.predictionLogs.write(old, { ...line, answered_at: given.clock.now() });
  }
  await whenTheWorkerLooks(given);
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return { given, old, version };
}

async function whenTheWorkerLooks(given: Awaited<ReturnType<typeof createTestDeployer>>) {
  given.passTime({ seconds: 6 });
  await given.worker.tick();
}
const inSteps = {
  rollout: {
    steps: [
      { weight: 10, bake_seconds: 60 },
      { weight: 100, bake_seconds: 0 },
    ],
  },
};

test("requests are kept from the day that a policy asks for it, up to their number, and forgotten when it asks no more", async () => {
  const { given, old } = await givenKeptRows();
  expect(given.server.keeping.get(old)).toMatchObject({ sample: 1, hidden: ["name"] });
  const rows = await given.database.keptRows.list(ENDPOINT, { limit: 1000 });
  expect(rows).toHaveLength(50);
  expect(rows[0]).toMatchObject({ path: "/predict", answers: [{ deployment_id: old, has_failed: false }] });

  const { policy_id: _, ...policy } = await given.database.experiments.getGatePolicy(EXPERIMENT);
  await given.database.experiments.setGatePolicy(EXPERIMENT, { ...policy, kept_rows: null }, "ana");
  await whenTheWorkerLooks(given);
  expect(given.server.keeping.has(old)).toBe(false);
  expect(await given.database.keptRows.list(ENDPOINT, { limit: 1000 })).toEqual([]);
});

test("a version that answers kept rows with an error, which production answers well, gets no share, and the rows are named", async () => {
  const { given, old, version } = await givenKeptRows();
  given.server.answerRows((id, { input }) => {
    const isOdd = JSON.stringify(input).includes('"age":2');
    return id !== old && isOdd ? { status: 500, body: "no such category" } : { status: 200, body: "{}" };
  });
  const error = await errorOf(deploy(given, version, "production", inSteps));
  expect(error).toBeInstanceOf(ProductionCriteriaNotMetError);
  expect(error.message).toMatch(
    /answers \d+ of 50 kept rows with an error that what serves now answers well: r2\d? \(500: no such category\)/,
  );
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [old]: 100 });
  expect(await given.database.rollouts.getOpen(ENDPOINT)).toBeNull();
});

test("rows that production does not answer either say nothing, and a policy that only tells lets all through", async () => {
  const alike = await givenKeptRows();
  alike.given.server.answerRows(() => ({ status: 400, body: "age is hidden" }));
  const manifest = await deploy(alike.given, alike.version, "production", inSteps);
  expect(manifest).toMatchObject({ rollout: { status: "running" } });
  const told = await givenKeptRows({ on_errors: "tell" });
  told.given.server.answerRows((id) => ({ status: id === told.old ? 200 : 500, body: "" }));
  expect(await deploy(told.given, told.version, "production", inSteps)).toMatchObject({
    status: "deploying",
  });
});

test("without a policy nothing is kept, and no row is sent", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await whenTheWorkerLooks(given);
  expect(given.server.keeping.has(deployment)).toBe(false);
  expect(given.wire.calls.filter((call) => call.startsWith("rowServers"))).toEqual([]);
});
