import { expect, test } from "vitest";
import {
  act,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  liveThread,
  promote,
  type Request,
  register,
} from "../../../support/given/given_deployer.ts";

/** Rows of every table, the newest id of each outbox entry included, so that an update shows too. */
async function everything(given: GivenDeployer) {
  const tables = await given.world.sql(
    "select table_name as name from information_schema.tables where table_schema = current_schema() order by 1",
  );
  const contents: Record<string, unknown> = {};
  for (const { name } of tables) {
    contents[String(name)] = await given.world.sql(
      `select to_jsonb(t) as row from ${String(name)} t order by 1`,
    );
  }
  const { applied } = given.router;
  const outside = {
    applied: [...applied],
    built: [...given.packager.built],
    started: [...given.server.started],
  };
  return { contents, outside, episodes: given.episodicMemory.episodes };
}

const READS = ["describeRun", "describeVersion", "findPackage", "observe", "list", "figures"];

test.each<[string, (given: GivenDeployer) => Promise<Request>]>([
  ["register", async () => ({ experiment_id: EXPERIMENT, mlflow_run_id: "run4" })],
  [
    "promote",
    async (given) => ({ model_version_id: await register(given, "run4"), target_stage: "staging" }),
  ],
  [
    "promote",
    async (given) => ({
      model_version_id: await givenReadyForProduction(given, "run4"),
      target_stage: "production",
    }),
  ],
  [
    "deploy",
    async (given) => {
      const version = await register(given, "run4");
      await promote(given, version, "staging");
      return { model_version_id: version, target_stage: "staging" };
    },
  ],
  [
    "rollback",
    async (given) => {
      const { version, deployment } = await givenInProduction(given, "run1");
      const { deployment_id } = await deployAtOnce(given, version);
      expect(deployment_id).not.toBe(deployment);
      return { current_deployment_id: deployment_id, rollback_reason: "wrong scores" };
    },
  ],
])("a dry run of %s tells the plan and changes nothing, anywhere", async (action, prepare) => {
  const given = await givenDeployer();
  const request = await prepare(given);
  const before = await everything(given);
  const calls = given.wire.calls.length;
  const config = { ...liveThread(), context: { effects: "dry-run" } };
  const state = await given.graph.invoke({ deployment_action: action, ...request }, config);
  expect(state.deployment_plan?.summary.length).toBeGreaterThan(10);
  expect(state).toMatchObject({ status: "completed", operation_id: null });
  expect(state.warnings?.join()).toContain("nothing was changed");
  expect(await everything(given)).toEqual(before);
  const methods = given.wire.calls.slice(calls).map((call) => call.split(".")[1] ?? "");
  expect(methods.filter((method) => !READS.includes(method))).toEqual([]);
});

test("a dry run of what would be refused is refused, and leaves no trace of it", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const before = await everything(given);
  const config = { ...liveThread(), context: { effects: "dry-run" } };
  const request = { deployment_action: "promote", model_version_id: version, target_stage: "production" };
  expect((await errorOf(given.graph.invoke(request, config))).code).toBe("invalid_promotion_path");
  expect(await everything(given)).toEqual(before);
});

test("effects that are neither live nor dry-run are refused", async () => {
  const given = await givenDeployer();
  const config = { ...liveThread(), context: { effects: "maybe" } };
  const request = { deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: "run1" };
  const error = await errorOf(given.graph.invoke(request, config));
  expect(error.message).toContain('context.effects is "maybe"; set it to "live" or "dry-run"');
});

test("the same request again, from anywhere, gets the stored answer and does nothing", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  const request = { model_version_id: version, target_stage: "staging" as const, request_id: "deploy-1" };
  const first = await act(given, "deploy", request);
  const calls = given.wire.calls.length;
  const again = await act(given, "deploy", request);
  expect(again.deployment_manifest).toEqual(first.deployment_manifest);
  expect(again.operation_id).toBe(first.operation_id);
  expect(
    given.wire.calls.slice(calls).filter((call) => /^(server|router|packager|registry)\./.test(call)),
  ).toEqual([]);
  expect(await given.db.deployments.listForEndpoint(`${ENDPOINT}_staging`)).toHaveLength(1);
});

test("a query of a session asks once", async () => {
  const given = await givenDeployer();
  const query = { session_id: "sess_0123456789abcdef", query_id: "qry_0123456789abcdef" };
  const first = await register(given, "run1", query);
  expect(await register(given, "run1", query)).toBe(first);
  const [row] = await given.world.sql("select count(*)::int as operations from ml_operations");
  expect(row).toEqual({ operations: 1 });
});

test("a refusal is stored too: the same request gets it again, with its criteria", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  const ask = () => errorOf(promote(given, version, "production", { request_id: "too-early" }));
  const first = await ask();
  const again = await ask();
  expect(first.name).toBe("ProductionCriteriaNotMetError");
  expect(again).toMatchObject({ name: first.name, message: first.message, details: first.details });
});

test("without a request id a refusal does not stand in the way of a new try", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const early = () => promote(given, version, "shadow");
  expect((await errorOf(early())).code).toBe("invalid_promotion_path");
  await promote(given, version, "staging");
  expect((await early()).version_record?.current_stage).toBe("shadow");
});

test("the same key with another body is an error that says so", async () => {
  const given = await givenDeployer();
  await register(given, "run1", { request_id: "same" });
  const error = await errorOf(register(given, "run2", { request_id: "same" }));
  expect(error).toMatchObject({ code: "idempotency_key_reused", retryable: false });
  expect(error.message).toContain("request_id same came before with another body");
  expect(await given.db.modelVersions.list(EXPERIMENT)).toHaveLength(1);
});

test("a shadow that nobody has asked anything is told that, and not that it does not exist", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  await deploy(given, version, "shadow");
  const error = await errorOf(promote(given, version, "production"));
  expect(error.message).toContain("answered 0 mirrored requests and needs 1000");
  expect(error.message).toMatch(/in shadow for \d+\.\d s and needs 24.00 h/);
  expect(error.message).not.toContain("no active shadow");
});

test("the warnings of an earlier run on the same thread are not this one's", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const config = liveThread();
  const dry = { ...config, context: { effects: "dry-run" } };
  const request = { deployment_action: "promote", model_version_id: version, target_stage: "staging" };
  expect((await given.graph.invoke(request, dry)).warnings).toHaveLength(1);
  expect((await given.graph.invoke(request, config)).warnings).toEqual([]);
});
