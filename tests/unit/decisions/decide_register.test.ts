import { expect, test } from "vitest";
import { decideRegister } from "../../../src/agents/model_deployer/actions/register/decide.ts";
import { type RegisterFacts } from "../../../src/agents/model_deployer/actions/register/facts.ts";
import type { RegisterRequest } from "../../../src/agents/model_deployer/domain/requests.ts";
import { changesOf, planOf, refusalOf, stepsOf } from "../../support/decisions/decided.ts";
import { anExperiment, aPolicy, aVersion, context } from "../../support/given/given_facts.ts";

const request: RegisterRequest = {
  action: "register",
  experiment_id: "remission",
  mlflow_run_id: "run1",
  mlflow_model_name: null,
  mlflow_model_version: null,
  model_artifact_uri: null,
  preprocessing_artifact_uri: null,
  shap_evidence: null,
};

const finished = {
  run_id: "run1",
  status: "finished" as const,
  metrics: { test_auc: 0.9, precision_at_k: 0.6, fpr: 0.05 },
  unusable_metrics: [],
  algorithm: "sklearn",
  signature: { inputs: [], outputs: [], params: [] },
};

function decide(facts: Partial<RegisterFacts> = {}, given: Partial<RegisterRequest> = {}) {
  const nothing = { policy: aPolicy(), registered_before: null, given_version: null, production: null };
  const known = { experiment: anExperiment(), run: finished, ...nothing };
  return decideRegister({ ...request, ...given }, { ...known, ...facts }, context);
}

const insertedBy = (decision: ReturnType<typeof decide>) =>
  changesOf(planOf(decision).on_success, "insert_model_version")[0];

test("a finished run becomes a version at development, pinned before it is registered", () => {
  const plan = planOf(decide());
  expect(stepsOf(plan)).toEqual(["pin_artifact", "register_in_registry"]);
  expect(plan.steps[1]?.do).toMatchObject({
    model_name: "e2i_remission",
    source: "runs:/run1/model",
    request_key: "run/remission/run1",
  });
  expect(insertedBy(decide())).toMatchObject({
    algorithm: "sklearn",
    model_version: {
      model_version_id: "mv_new",
      stage: "development",
      stage_revision: 0,
      metrics: finished.metrics,
    },
  });
});

test("a name or an address in the request counts before what is derived", () => {
  const given = { mlflow_model_name: "mine", model_artifact_uri: "runs:/run1/other" };
  expect(insertedBy(decide({}, given))?.model_version).toMatchObject({
    model_name: "mine",
    model_artifact_uri: "runs:/run1/other",
  });
});

test("a version that the trainer has registered is taken over and not registered again", () => {
  const given_version = { model_name: "theirs", version: 4, source: "models:/m-1", run_id: "run1" };
  const decision = decide({ given_version });
  expect(stepsOf(planOf(decision))).toEqual(["pin_artifact"]);
  expect(insertedBy(decision)?.model_version).toMatchObject({
    model_name: "theirs",
    version: 4,
    model_artifact_uri: "models:/m-1",
  });
});

test("a version of another run is refused by name", () => {
  const given_version = { model_name: "theirs", version: 4, source: "models:/m-1", run_id: "run9" };
  expect(refusalOf(decide({ given_version }))).toMatchObject({
    code: "invalid_request",
    sentence: "theirs version 4 belongs to run run9, not to run1.",
  });
});

test("the answer names whoever asked as who registered it", () => {
  const asked = { ...context, requested_by: "ana" };
  const nothing = { policy: aPolicy(), registered_before: null, given_version: null, production: null };
  const facts = { experiment: anExperiment(), run: finished, ...nothing };
  expect(planOf(decideRegister(request, facts, asked)).draft.version_record).toMatchObject({
    promoted_by: "ana",
    promotion_reason: "registered",
  });
});

test("what the run lacks for production is told at once, and stops nothing", () => {
  const plan = planOf(decide({ run: { ...finished, metrics: { test_auc: 0.7, fpr: 0.05 } } }));
  expect(plan.notes).toEqual([
    expect.stringMatching(/^Production would refuse it: test_auc is 0.7 and must be at least 0.8/),
    expect.stringMatching(/^Production would refuse it: precision_at_k .* logged none/),
  ]);
});

test("metrics that are no numbers are left out and named", () => {
  const plan = planOf(decide({ run: { ...finished, unusable_metrics: ["loss"] } }));
  expect(plan.notes).toEqual(["Metric loss of the run is not a finite number and was left out."]);
  expect(plan.draft.notes).toEqual(plan.notes);
});

test.each(["running", "failed"] as const)("a run that is %s is refused", (status) => {
  expect(refusalOf(decide({ run: { ...finished, status } })).sentence).toContain(`Run run1 is ${status}`);
});

test("without its experiment nothing is registered, and nothing is asked about the run", () => {
  expect(refusalOf(decide({ experiment: null, run: null }))).toMatchObject({ code: "not_found" });
});

test("a run that is registered already gives its version, and does nothing", () => {
  const plan = planOf(decide({ registered_before: aVersion(3, { stage: "staging" }), run: null }));
  expect(plan.steps).toEqual([]);
  expect(plan.on_success).toEqual([]);
  expect(plan.draft).toMatchObject({
    model_version_id: "mv_3",
    version_record: { current_stage: "staging" },
  });
  expect(plan.draft.notes[0]).toContain("registered already");
});

test("features that are far from those at production are named, and stop nothing", () => {
  const evidence = (...top_features: string[]) => ({
    shap_analysis_id: null,
    top_features,
    samples_analyzed: 100,
  });
  const production = aVersion(1, { shap_evidence: evidence("age", "dose", "sex") });
  const plan = planOf(decide({ production }, { shap_evidence: evidence("zip", "brand", "age") }));
  expect(plan.notes).toEqual([expect.stringContaining("zip, brand, age against age, dose, sex")]);
  expect(plan.draft.notes).toEqual(plan.notes);
  expect(planOf(decide({ production }, { shap_evidence: evidence("age", "dose", "sex") })).notes).toEqual([]);
  expect(planOf(decide({ production })).notes).toEqual([]);
});

test("both artifacts are pinned in formats that the policy names, and in any where it names none", () => {
  const given = { preprocessing_artifact_uri: "runs:/run1/preprocessing" };
  const allowed = (policy: RegisterFacts["policy"]) =>
    planOf(decide({ policy }, given)).steps.flatMap(({ do: step }) =>
      step.step === "pin_artifact" ? [step.allowed] : [],
    );
  const named = { experiment_id: "remission", formats: ["onnx"] };
  expect(allowed(aPolicy({ formats: ["onnx"] }))).toEqual([named, named]);
  expect(allowed(aPolicy())).toEqual([undefined, undefined]);
});
