import { expect, test } from "vitest";
import {
  act,
  type GivenDeployer,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  register,
} from "../../support/given/given_deployer.ts";

const good = {
  register: { experiment_id: EXPERIMENT, mlflow_run_id: "run1" },
  promote: { model_version_id: "mv_1", target_stage: "staging" },
  deploy: { model_version_id: "mv_1", target_stage: "staging" },
  rollback: { current_deployment_id: "d1", rollback_reason: "wrong scores" },
};

type Action = keyof typeof good;

const outside = (given: GivenDeployer) =>
  given.wire.calls.filter((call) => !call.startsWith("journal.") && !call.startsWith("outbox."));

const operations = async (given: GivenDeployer) => {
  const [row] = await given.world.sql("select count(*)::int as operations from ml_operations");
  return row?.["operations"];
};

test.each<[string, Action, Record<string, unknown>, string]>([
  ["a missing field", "register", { mlflow_run_id: undefined }, "mlflow_run_id"],
  ["a path", "register", { experiment_id: "../../etc" }, '"../../etc"'],
  ["a quote", "register", { mlflow_model_name: "it's" }, "it's"],
  ["a newline", "promote", { model_version_id: "mv\n1" }, '"mv\\n1"'],
  ["a stage that does not exist", "promote", { target_stage: "live" }, '"live"'],
  ["a NaN metric", "register", { test_metrics: { test_auc: Number.NaN } }, "NaN"],
  ["10 MB in a field", "deploy", { cpu_limit: "2".repeat(10_000_000) }, "larger than 1048576 bytes"],
  ["a live object", "register", { shap_analysis: { lc: 1 } }, '"lc"'],
  [
    "an address outside the registry",
    "register",
    { model_artifact_uri: "file:///etc/passwd" },
    "file:///etc/passwd",
  ],
  ["a reason with control characters", "rollback", { rollback_reason: "\u0007" }, "control characters"],
])("%s ends a run of the graph before anything is touched", async (_what, action, wrong, told) => {
  const given = await givenDeployer();
  const state = { deployment_action: action, ...good[action], ...wrong };
  const config = { configurable: { thread_id: "t" }, context: { effects: "live" } };
  const error = await errorOf(given.graph.invoke(state, config));
  expect(error).toMatchObject({ code: "invalid_request", retryable: false });
  expect(error.message).toContain(told);
  expect(given.wire.calls).toEqual([]);
  expect(await operations(given)).toBe(0);
});

test("an unknown field is refused where no other agent's fields can stand", async () => {
  const given = await givenDeployer();
  const request: object = { deployment_action: "promote", ...good.promote, taget_stage: "x" };
  const error = await errorOf(given.agent.execute({ deployment_action: "promote", ...request }));
  expect(error.code).toBe("invalid_request");
  expect(error.message).toContain('"taget_stage"');
  expect(given.wire.calls).toEqual([]);
});

test("as a node of a pipeline it leaves other agents' fields alone, and a bad request ends in the state", async () => {
  const given = await givenDeployer();
  const state = {
    deployment_action: "promote",
    model_version_id: "mv 1",
    target_stage: "staging",
    raw_data: {},
  };
  const update = await given.agent.asNode()(state, {});
  expect(update).toMatchObject({ status: "failed", errors: [{ code: "invalid_request", retryable: false }] });
  expect(update.errors?.[0]?.message).toContain('"mv 1"');
  expect(given.wire.calls).toEqual([]);
});

test("effects that are none are refused as they are, whether JSON can write them or not", async () => {
  const given = await givenDeployer();
  const config = { configurable: { thread_id: "t" }, context: { effects: 10n } };
  const state = { deployment_action: "promote", ...good.promote };
  const error = await errorOf(given.graph.invoke(state, config));
  expect(error).toMatchObject({ code: "invalid_request", retryable: false });
  expect(error.message).toContain("context.effects is 10n");
  expect(given.wire.calls).toEqual([]);
});

test("a state that raises when it is read ends in the node's answer", async () => {
  const given = await givenDeployer();
  const raising = new Proxy({}, { ownKeys: () => expect.fail("no keys for you") });
  const update = await given.agent.asNode()(raising, {});
  expect(update).toMatchObject({ status: "failed", errors: [{ code: "invalid_request" }] });
  expect(update.errors?.[0]?.message).toContain("no keys for you");
});

test("an action that does not exist is named", async () => {
  const given = await givenDeployer();
  expect((await errorOf(act(given, "destroy", {}))).message).toContain('Unknown action: "destroy"');
  expect(given.wire.calls).toEqual([]);
});

test.each<[string, Action, Record<string, unknown>, RegExp]>([
  ["version", "promote", good.promote, /Model version mv_1 does not exist: register it first/],
  ["version", "deploy", good.deploy, /Model version mv_1 does not exist: register it first/],
  ["deployment", "rollback", good.rollback, /Deployment d1 does not exist: see the history/],
  [
    "experiment",
    "register",
    { ...good.register, experiment_id: "nowhere" },
    /Experiment nowhere does not exist: create it/,
  ],
])(
  "a %s that does not exist is refused by %s without asking anyone outside",
  async (_what, action, request, told) => {
    const given = await givenDeployer();
    const error = await errorOf(act(given, action, request));
    expect(error.code).toBe("not_found");
    expect(error.message).toMatch(told);
    expect(outside(given)).toEqual([]);
  },
);

test("a run that the registry does not know is named, and nothing is registered", async () => {
  const given = await givenDeployer();
  const error = await errorOf(register(given, "nosuchrun"));
  expect(error.code).toBe("not_found");
  expect(error.message).toContain("nosuchrun");
  expect(outside(given)).toEqual(["registry.describeRun"]);
  expect(await given.db.modelVersions.list(EXPERIMENT)).toEqual([]);
});

test("metrics of a run that are no numbers are left out, named, and never pass the gate", async () => {
  const given = await givenDeployer();
  given.registry.addRun({
    run_id: "nan1",
    metrics: { test_auc: Number.NaN },
    models: { model: { "model.bin": "x" } },
  });
  const state = await act(given, "register", { experiment_id: EXPERIMENT, mlflow_run_id: "nan1" });
  expect(state.warnings?.join()).toContain("Metric test_auc of the run is not a finite number");
  expect(state.version_record?.metrics_at_promotion).toEqual({});
});
