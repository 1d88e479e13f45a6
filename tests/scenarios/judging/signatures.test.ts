import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deployAtOnce,
  ENDPOINT,
  inProduction,
  liveThread,
  promoteWithApproval,
  questionOf,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";

/** An `MLmodel` file with these inputs, as MLflow writes it. */
const described = (...columns: string[]) => {
  const inputs = columns.map((name) => ({ type: "double", name, required: true }));
  return `signature:\n  inputs: '${JSON.stringify(inputs)}'\n  outputs: '[{"type": "long"}]'\n`;
};

const metrics = { test_auc: 0.9, test_precision_at_k: 0.6, test_fpr: 0.05 };

/** `old` with one column serves, and `new` asks for a second one. */
async function givenTwo(): Promise<TestDeployer> {
  const given = await createTestDeployer();
  const model = (MLmodel: string) => ({ model: { "model.bin": MLmodel, MLmodel } });
  given.registry.addRun({ run_id: "old", metrics, models: model(described("age")) });
  given.registry.addRun({ run_id: "new", metrics, models: model(described("age", "height")) });
  return given;
}

const dryRun = (given: TestDeployer, action: string, request: object) =>
  given.graph.invoke(
    { deployment_action: action, ...request },
    { ...liveThread(), context: { effects: "dry-run" } },
  );

const height = {
  part: "input",
  column: "height",
  change: "new",
  before: null,
  after: "double",
  breaks_callers: true,
};

test("a new required column is named before the first request: at register, promote, deploy and a rollback by name", async () => {
  const given = await givenTwo();
  const old = await inProduction(given, "old");
  expect((await given.database.modelVersions.get(old.version))?.signature?.inputs).toHaveLength(1);

  const asked = { experiment_id: "remission", mlflow_run_id: "new" };
  const registration = await dryRun(given, "register", asked);
  expect(registration.deployment_plan?.signature?.differences).toEqual([height]);
  const registered = await act(given, "register", asked);
  expect(registered.warnings).toContain(
    `Against ${old.version}, input height is new and required (double): its callers have to change.`,
  );

  const version = await readyForProduction(given, "new");
  const request = { model_version_id: version, target_stage: "production" as const };
  const question = questionOf(await act(given, "promote", { ...request, promotion_reason: "better" }));
  expect(question.plan.signature).toMatchObject({ compared_with: old.version, differences: [height] });
  expect(question.evidence["signature"]).toEqual([expect.stringMatching(/height is new and required/)]);

  await promoteWithApproval(given, version);
  const deployment = await dryRun(given, "deploy", request);
  expect(deployment.deployment_plan?.signature).toMatchObject({
    model_version_id: version,
    compared_with: old.version,
    differences: [height],
  });

  await deployAtOnce(given, version);
  const back = { endpoint_name: ENDPOINT, rollback_to: old.version, rollback_reason: "wrong scores" };
  const rollback = await dryRun(given, "rollback", back);
  expect(rollback.deployment_plan?.signature).toMatchObject({
    model_version_id: old.version,
    compared_with: version,
    differences: [{ column: "height", change: "gone", breaks_callers: false }],
  });
});

test("a model without a signature is said to have none, and is served all the same", async () => {
  const given = await createTestDeployer();
  const state = await act(given, "register", { experiment_id: "remission", mlflow_run_id: "run1" });
  expect(state.warnings).toContainEqual(expect.stringMatching(/runs:\/run1\/model has no signature/));
  const version = await register(given, "run1");
  expect((await given.database.modelVersions.get(version))?.signature).toBeNull();
});
