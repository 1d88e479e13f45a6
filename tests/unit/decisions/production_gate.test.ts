import { expect, test } from "vitest";
import type {
  Experiment,
  Metrics,
  ModelVersion,
  ShadowEvidence,
} from "../../../src/agents/model_deployer/domain/entities.ts";
import type { GatePolicy } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { unmetProductionCriteria } from "../../../src/agents/model_deployer/actions/promote/production_gate.ts";
import { readMetric } from "../../../src/agents/model_deployer/actions/promote/success_criteria.ts";
import {
  anExperiment,
  aPolicy,
  aVersion,
  someEvidence,
  NO_ENTRIES,
} from "../../support/given/given_facts.ts";

interface Given {
  metrics?: Metrics;
  experiment?: Partial<Experiment>;
  policy?: Partial<GatePolicy>;
  shadow?: Partial<ShadowEvidence> | null;
  production?: ModelVersion | null;
}

function unmet({ metrics, experiment, policy, shadow, production = null }: Given = {}) {
  return unmetProductionCriteria({
    version: aVersion(2, metrics === undefined ? {} : { metrics }),
    experiment: anExperiment(experiment),
    policy: aPolicy(policy),
    vulnerabilities: NO_ENTRIES,
    shadow: shadow === null ? null : someEvidence(shadow),
    production,
  });
}

const names = (given: Given) => unmet(given).map((one) => one.criterion);
const good: Metrics = { test_auc: 0.9, test_precision_at_k: 0.6, test_fpr: 0.05 };

test("exactly at every bound is enough", () => {
  expect(unmet({ metrics: { test_auc: 0.8, test_precision_at_k: 0.5, test_fpr: 0.1 } })).toEqual([]);
});

test("everything that is missing is named at once, with what is required and what was seen", () => {
  const found = unmet({
    metrics: { test_auc: 0.7, test_precision_at_k: 0.4, test_fpr: 0.2 },
    shadow: { hours: 23, requests: 999, errors: 99, p99_ms: 151 },
  });
  expect(found.map(({ criterion, required, observed }) => [criterion, required, observed])).toEqual([
    ["auc", "at least 0.8", "0.7"],
    ["precision_at_k", "at least 0.5", "0.4"],
    ["fpr", "at most 0.1", "0.2"],
    ["shadow_hours", "at least 24.00 h", "23.00 h"],
    ["shadow_requests", "at least 1000", "999"],
    ["shadow_error_rate", "at most 0.01", "0.0991"],
    ["shadow_p99_ms", "at most 150 ms", "151 ms"],
  ]);
  expect(found.find((one) => one.criterion === "shadow_hours")?.sentence).toContain("1.00 h remain");
});

test.each<[string, Given]>([
  ["auc", { metrics: { ...good, test_auc: 0.7999999 } }],
  ["precision_at_k", { metrics: { ...good, test_precision_at_k: 0.4999999 } }],
  ["fpr", { metrics: { ...good, test_fpr: 0.1000001 } }],
  ["shadow_hours", { shadow: { hours: 24 - 1e-9 } }],
  ["shadow_hours", { shadow: { hours: 23 + 59 / 60 } }],
  ["shadow_requests", { shadow: { requests: 999, errors: 0 } }],
  ["shadow_error_rate", { shadow: { errors: 11 } }],
  ["shadow_p99_ms", { shadow: { p99_ms: 150.0001 } }],
  ["shadow_active", { shadow: null }],
  ["minimum_auc", { experiment: { minimum_auc: null } }],
])("a hair beyond one bound is that criterion alone: %s", (criterion, given) => {
  expect(names(given)).toEqual([criterion]);
});

test("a shadow that is seconds short of a day is never said to have had its 24 h", () => {
  const [hours] = unmet({ shadow: { hours: 24 - 1 / 3600 } });
  expect(hours?.observed).toBe("23.99 h");
  expect(hours?.sentence).toContain("1.0 s remain");
});

test("a metric that was not logged is named with the names under which it is looked for", () => {
  const [auc] = unmet({ metrics: { test_precision_at_k: 0.6, test_fpr: 0.05 } });
  expect(auc).toMatchObject({ criterion: "auc", observed: "not logged" });
  expect(auc?.sentence).toContain("test_auc, test_roc_auc, auc_roc, roc_auc, auc");
});

test("the test split's value counts before any other, and no other stands in when it is too low", () => {
  expect(readMetric({ auc: 0.99, test_auc: 0.7 }, "auc")).toEqual({ name: "test_auc", value: 0.7 });
  expect(names({ metrics: { ...good, test_auc: 0.7, auc: 0.99 } })).toEqual(["auc"]);
  expect(readMetric({ test_auc: Number.NaN, auc: 0.9 }, "auc")).toEqual({ name: "auc", value: 0.9 });
});

test("criteria that an experiment leaves out are not asked for, the AUC always is", () => {
  const experiment = { minimum_precision_at_k: null, maximum_fpr: null };
  expect(names({ metrics: { test_auc: 0.9 }, experiment })).toEqual([]);
  const [auc] = unmet({ experiment: { minimum_auc: null } });
  expect(auc?.sentence).toContain("Experiment remission sets no minimum_auc");
});

test("a shadow whose p99 was not measured is not taken for a fast one", () => {
  const found = unmet({ shadow: { p99_ms: null } });
  expect(found).toMatchObject([
    { criterion: "shadow_p99_ms", required: "at most 150 ms", observed: "not measured" },
  ]);
  expect(found[0]?.sentence).toContain("no p99 over the shadow's 1000 requests");
});

test("a shadow that nobody asked anything is short of requests and of nothing else", () => {
  expect(names({ shadow: { requests: 0, errors: 0, p99_ms: null } })).toEqual(["shadow_requests"]);
});

test("beside a version at production it has to be excluded that the shadow is worse by the policy's margin", () => {
  const shadow = { requests: 1000, errors: 10, production_errors: 0 };
  expect(names({ shadow })).toEqual([]);
  const production = aVersion(1);
  const [found] = unmet({ shadow, production });
  expect(found).toMatchObject({
    criterion: "shadow_bound",
    required: "worse than production by at most 2.00 %",
  });
  expect(found?.sentence).toMatch(
    /of 1000 mirrored requests it failed 10 and production 0, and worse by at most [\d.]+ % is known\. More requests can show it\./,
  );
  expect(names({ shadow: { ...shadow, production_errors: 10 }, production })).toEqual([]);
  expect(names({ shadow: { ...shadow, requests: 10_000, errors: 100 }, production })).toEqual([]);
  expect(names({ shadow: { ...shadow, errors: 0 }, production })).toEqual([]);
});

test("a shadow that fails more than the margin is told so; no more requests can mend that", () => {
  const shadow = { requests: 1000, errors: 40, production_errors: 0 };
  const policy = { maximum_shadow_error_rate: 1 };
  expect(names({ shadow, policy, production: aVersion(1) })).toEqual(["shadow_worse_by"]);
  expect(
    names({
      shadow: { requests: 10_000, errors: 400, production_errors: 400 },
      policy,
      production: aVersion(1),
    }),
  ).toEqual([]);
});

test("the margin is the policy's own; 1 asks for nothing, and neither does a demo nor a version's own place", () => {
  const shadow = { requests: 1000, errors: 10, production_errors: 0 };
  const production = aVersion(1);
  expect(names({ shadow, production, policy: { judge: { margin: 0.1 } } })).toEqual([]);
  expect(names({ shadow, production, policy: { judge: { margin: 1 } } })).toEqual([]);
  expect(names({ shadow, production, policy: { kind: "demo" } })).toEqual([]);
  expect(names({ shadow, production: aVersion(2) })).toEqual([]);
});
