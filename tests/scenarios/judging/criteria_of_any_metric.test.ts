import pc from "picocolors";
import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  errorOf,
  EXPERIMENT,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { criteriaOf } from "../../../src/cli/commands/settings/criteria_options.ts";
import { historyLines } from "../../../src/cli/output/views/history_view.ts";
import { historyReport } from "../../../src/service/status/history_report.ts";

const REGRESSOR = {
  experiment_id: EXPERIMENT,
  experiment_name: "Days to remission",
  prediction_target: "days",
  minimum_auc: null,
  minimum_precision_at_k: null,
  maximum_fpr: null,
};
const runs = [
  {
    run_id: "run1",
    metrics: { rmse: 0.25 },
    algorithm: "sklearn",
    models: { model: { "model.bin": "weights" } },
  },
];
const given = () => createTestDeployer({ experiments: [REGRESSOR], runs });
const set = (deployer: TestDeployer, ...criteria: string[]) =>
  deployer.database.experiments.setCriteria(EXPERIMENT, criteriaOf(criteria), {
    reason: "agreed",
    set_by: "ana",
  });
const warningsOf = async (deployer: TestDeployer) => {
  const asked = { experiment_id: EXPERIMENT, mlflow_run_id: "run1" };
  const { warnings = [] } = await act(deployer, "register", asked);
  return warnings.filter((warning) => warning.startsWith("Production"));
};

test("a regressor goes to production by a bound on its own metric", async () => {
  const deployer = await given();
  await set(deployer, "rmse<=0.3");
  const version = await readyForProduction(deployer, "run1");
  await promoteWithApproval(deployer, version);
  expect(await deployer.database.modelVersions.get(version)).toMatchObject({ stage: "production" });
});

test("one that misses its bound is refused with metric, value and bound; other criteria take their place", async () => {
  const deployer = await given();
  await set(deployer, "rmse<=0.2");
  const version = await readyForProduction(deployer, "run1");
  const refused = await errorOf(promoteWithApproval(deployer, version));
  expect(refused.message).toContain("rmse is 0.25 and must be at most 0.2.");
  await set(deployer, "rmse<=0.25");
  await promoteWithApproval(deployer, version);
});

test("what production would refuse is told when a run is registered", async () => {
  const without = await given();
  expect((await warningsOf(without)).join()).toMatch(
    /sets no minimum_auc and no other criterion; .*experiments set/,
  );
  const other = await given();
  await set(other, "rmse<=0.2", "mae<=1");
  expect(await warningsOf(other)).toEqual([
    "Production would refuse it: rmse is 0.25 and must be at most 0.2.",
    "Production would refuse it: mae must be at most 1, and the run did not log it.",
  ]);
});

test.each(["rmse", "rmse<0.3", "rmse<=", "rmse<=low", "<=0.3", "rmse<=Infinity"])(
  "%j is no bound",
  (text) => {
    expect(() => criteriaOf([text])).toThrow(/is no bound: write <metric><=<number>/);
  },
);

test.each(["ndcg:10", "précision", "準確率", "-log loss", "val/auc.1"])(
  "%j is a metric's name, as MLflow takes it",
  (metric) => {
    expect(criteriaOf([`${metric}>=0.5`])).toEqual([{ metric, bound: 0.5, direction: "at_least" }]);
  },
);

test.each(["auc@10", "auc (test)", "a".repeat(251)])("%j is none, and is told as such", (metric) => {
  expect(() => criteriaOf([`${metric}>=0.5`])).toThrow(
    /names ".*"; give a metric's name, as the run logs it/,
  );
});

test("a metric has one bound", () => {
  expect(() => criteriaOf(["rmse<=0.3", "rmse>=0.1"])).toThrow(/names rmse twice/);
  expect(criteriaOf(["rmse <= .3", "val/auc>=0.8"])).toEqual([
    { metric: "rmse", bound: 0.3, direction: "at_most" },
    { metric: "val/auc", bound: 0.8, direction: "at_least" },
  ]);
});

test("the history tells who changed the criteria, from what to what, and why", async () => {
  const deployer = await given();
  await set(deployer, "rmse<=0.3", "auc>=0.8");
  await set(deployer, "rmse<=0.25");
  const { database, episodicMemory, proceduralMemory } = deployer;
  const source = { database, episodicMemory, proceduralMemory };
  const report = await historyReport(source, EXPERIMENT, { limit: 50 });
  const changes = report.events.filter(({ kind }) => kind === "criteria");
  expect(changes).toMatchObject([
    {
      changed_by: "ana",
      reason: "agreed",
      evidence: { from: [], to: criteriaOf(["rmse<=0.3", "auc>=0.8"]) },
    },
    {
      changed_by: "ana",
      evidence: { from: criteriaOf(["rmse<=0.3", "auc>=0.8"]), to: criteriaOf(["rmse<=0.25"]) },
    },
  ]);
  const lines = historyLines({ ...report, episodes: [] }, pc.createColors(false)).join("\n");
  expect(lines).toContain("criteria      none → rmse <= 0.3, auc >= 0.8  by ana: agreed");
  expect(lines).toContain("criteria      rmse <= 0.3, auc >= 0.8 → rmse <= 0.25  by ana: agreed");
});
