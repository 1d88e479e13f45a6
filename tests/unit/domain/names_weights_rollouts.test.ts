import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bentoTag,
  deploymentId,
  endpointName,
  experimentName,
  modelVersionId,
  rolloutId,
} from "../../../src/agents/model_deployer/domain/values/names.ts";
import { experimentIdSchema } from "../../../src/agents/model_deployer/domain/values/requested_values.ts";
import {
  defaultJudgeSettings,
  planRollout,
} from "../../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { refuseSteps } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { allTo, serving, split, sumOf } from "../../../src/agents/model_deployer/domain/traffic/weights.ts";
import { parseBentoTag } from "../../../src/mlops/bentoml/bento_tag.ts";
import { assertEndpointName } from "../../../src/mlops/shared/route_check.ts";

test.each([
  ["remission", "e2i_remission"],
  ["exp_20260101", "e2i_exp_20260101"],
  ["Breast.Cancer", "e2i_breast_cancer_b0d07051"],
  ["breast-cancer", "e2i_breast_cancer_caa6daeb"],
  ["e2i_remission", "e2i_remission_1037ba9b"],
  ["remission_staging", "e2i_remission_staging_8a28bda1"],
])("experiment %s is called %s", (experimentId, expected) => {
  expect(experimentName(experimentId)).toBe(expected);
});

test.each([
  ["e2i_remission", "e2i_remission:v3"],
  ["remission", "e2i_remission_567a51e5:v3"],
  ["E2I.Remission", "e2i_remission_edf05ee0:v3"],
])("version 3 of the registered model %s has the tag %s", (model_name, expected) => {
  expect(bentoTag({ model_name, version: 3 })).toBe(expected);
});

test("staging has an endpoint of its own; shadow and production share one", () => {
  expect(endpointName("remission", "staging")).toBe("e2i_remission_staging");
  expect(endpointName("remission", "shadow")).toBe("e2i_remission");
  expect(endpointName("remission", "production")).toBe("e2i_remission");
});

const experimentIds = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$/);
const modelNames = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,55}$/);

test("every id and name that a request may carry names an endpoint and a bento", () => {
  fc.assert(
    fc.property(experimentIds, modelNames, (experimentId, model_name) => {
      expect(experimentIdSchema.safeParse(experimentId).success).toBe(true);
      assertEndpointName(endpointName(experimentId, "staging"));
      parseBentoTag(bentoTag({ model_name: experimentName(experimentId), version: 3 }));
      parseBentoTag(bentoTag({ model_name, version: 3 }));
    }),
    { numRuns: 500, seed: 7 },
  );
});

test("no two experiments share an endpoint, and no two registered models a bento, however alike they are spelled", () => {
  const alike = fc.stringMatching(/^[aA][._-]{1,2}[bB](_staging)?$/);
  fc.assert(
    fc.property(alike, alike, (one, other) => {
      fc.pre(one !== other);
      const endpointsOf = (id: string) => [endpointName(id, "staging"), endpointName(id, "production")];
      expect(endpointsOf(one).filter((name) => endpointsOf(other).includes(name))).toEqual([]);
      expect(bentoTag({ model_name: `e2i_${one}`, version: 1 })).not.toBe(
        bentoTag({ model_name: `e2i_${other}`, version: 1 }),
      );
    }),
    { numRuns: 1000, seed: 7 },
  );
});

test("ids derive from the operation, so that a second try finds the first one's work", () => {
  expect([deploymentId("op_1"), modelVersionId("op_1"), rolloutId("op_1")]).toEqual([
    "deploy_1",
    "mv_1",
    "rollout_1",
  ]);
});

test("weights sum to 100 whatever the candidate's share, and a side without a share is left out", () => {
  for (let weight = 0; weight <= 100; weight += 1) expect(sumOf(split("a", "b", weight))).toBe(100);
  expect(split("a", "b", 0)).toEqual({ a: 100 });
  expect(split("a", "b", 30)).toEqual({ a: 70, b: 30 });
  expect(split("a", "b", 100)).toEqual(allTo("b"));
});

test("who serves is told by share, the largest first", () => {
  expect(serving({ a: 30, b: 0, c: 70 })).toEqual(["c", "a"]);
});

test("linear goes up by ten per cent a minute, canary in three watched steps, immediate at once", () => {
  const linear = planRollout("linear");
  expect(linear.steps.map((step) => step.weight)).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
  expect(linear.steps.map((step) => step.bake_seconds)).toEqual([...Array<number>(9).fill(60), 0]);
  expect(planRollout("canary").steps.map((step) => step.weight)).toEqual([5, 25, 50, 100]);
  expect(planRollout("immediate").steps).toEqual([{ weight: 100, bake_seconds: 0 }]);
});

test("a judge of one's own keeps the defaults of what it leaves out", () => {
  const steps = [{ weight: 100, bake_seconds: 0 }];
  expect(planRollout({ steps, judge: { alpha: 0.05, minimum_samples: undefined } }).judge).toEqual({
    ...defaultJudgeSettings,
    alpha: 0.05,
  });
  expect(planRollout({ steps }).judge).toEqual(defaultJudgeSettings);
});

const stepsOf = (...weights: number[]) => weights.map((weight) => ({ weight, bake_seconds: 1 }));

test("steps must rise to 100", () => {
  expect(refuseSteps(stepsOf(10, 50, 100))).toBeNull();
  expect(refuseSteps(stepsOf(100))).toBeNull();
  expect(refuseSteps(stepsOf(10, 50))).toMatch(/last step must have weight 100, not 50/);
  expect(refuseSteps(stepsOf(10, 10, 100))).toMatch(/step 2 \(10\) does not/);
  expect(refuseSteps(stepsOf(60, 30, 100))).toMatch(/step 2 \(30\) does not/);
});
