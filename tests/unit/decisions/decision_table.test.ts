import { expect, test } from "vitest";
import { STANDARD_GATE_POLICY } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { decisionTable } from "../../../src/agents/model_deployer/planning/approval/decision_table.ts";
import { policyEvidence } from "../../../src/agents/model_deployer/planning/approval/policy_evidence.ts";
import type { Plan } from "../../../src/agents/model_deployer/domain/plan.ts";

const policy = { ...STANDARD_GATE_POLICY, maximum_shadow_disagreement: 0.05 };
const shadow = {
  deployment_id: "deploy_1",
  hours: 24.009,
  requests: 1200,
  errors: 24,
  p99_ms: null,
  collected_at: "2026-11-24T03:00:00Z",
  comparison: {
    pairs: 200,
    disagreements: 4,
    scored: 200,
    higher: 110,
    lower: 90,
    sum_difference: 2,
    sum_absolute_difference: 5,
  },
};
const move = { change: "set_stage", expected_revision: 1, reason: "better", changed_by: "ana" } as const;
const moves: Plan["on_success"] = [
  {
    ...move,
    model_version_id: "mv_1",
    from: "production",
    to: "archived",
    kind: "supersession",
    metrics: { test_auc: 0.87, loss: 0.4 },
    evidence: {},
  },
  {
    ...move,
    model_version_id: "mv_2",
    from: "shadow",
    to: "production",
    kind: "promotion",
    metrics: { loss: 0.3, test_auc: 0.912345 },
    evidence: {},
  },
];

const evidence = {
  metrics: { loss: 0.3, test_auc: 0.912345 },
  success_criteria: { minimum_auc: 0.8, minimum_precision_at_k: null, maximum_fpr: null },
  gate_policy: policyEvidence(policy),
  shadow,
};

test("each figure stands beside its bound and beside the version in production, the criteria first", () => {
  const rows = decisionTable({ evidence, on_success: moves }).map(
    ({ what, candidate, required, production, met }) => [what, candidate, required, production, met],
  );
  expect(rows).toEqual([
    ["test auc", "0.9123", "≥ 0.8", "0.87", true],
    ["loss", "0.3", null, "0.4", null],
    ["time in shadow", "24.00 h", "≥ 24.00 h", null, true],
    ["mirrored requests", "1200", "≥ 1000", null, true],
    ["failed", "24 (2.00 %)", "≤ 1.00 %", null, false],
    ["p99", "not measured", "≤ 150 ms", null, false],
    ["predicts otherwise than production", "4 of 200 (2.00 %)", "≤ 5.00 %", null, true],
    ["score, mean difference", "0.01", null, null, null],
  ]);
});

test("the verdict on a rollout that the move ends is a line, and what an earlier release wrote otherwise is left out", () => {
  const verdict = { outcome: "fail", reason: "the candidate fails more often", e_value: 400 };
  const ended = { rollout_id: "rollout_1", status: "running", verdict };
  const rows = decisionTable({
    evidence: { ended_rollout: ended, shadow: "gone", metrics: 3 },
    on_success: [],
  });
  expect(rows).toMatchObject([
    { group: "rollout", candidate: "running; fail: the candidate fails more often", met: false },
  ]);
});

const loaded = {
  formats: ["onnx"],
  pickles: [],
  modules: [],
  reaching: [],
  by_value: [],
  trusted_types: [],
  unread: [],
  left_out: 0,
};

test("what loading would import stands beside what the policy allows and what production loads", () => {
  const candidate = {
    ...loaded,
    formats: ["onnx", "pickle"],
    modules: ["numpy", "os"],
    reaching: ["os.system"],
    unread: ["model/a.pkl: it cannot be read to its end: ValueError"],
    left_out: 3,
  };
  const loading = { candidate, production: loaded };
  const allowing = { ...policy, formats: ["onnx" as const] };
  const table = (gate_policy: typeof evidence.gate_policy) =>
    decisionTable({ evidence: { gate_policy, loading }, on_success: [] }).map(
      ({ group, what, candidate: found, required, production, met }) => [
        group,
        what,
        found,
        required,
        production,
        met,
      ],
    );
  expect(table(policyEvidence(allowing))).toEqual([
    ["loading", "formats of its files", "onnx, pickle", "onnx", "onnx", false],
    ["loading", "pickles import from", "numpy, os", null, "none", null],
    ["loading", "imports that can do anything", "os.system", null, "none", null],
    [
      "loading",
      "not all is known of",
      "model/a.pkl: it cannot be read to its end: ValueError",
      null,
      "none",
      null,
    ],
    ["loading", "entries not kept", "3", null, "none", null],
  ]);
  expect(table(policyEvidence(policy))[0]?.slice(3)).toEqual([null, "onnx", null]);
});

test("an approver is told where an earlier release read nothing", () => {
  const loading = { candidate: null, production: null };
  expect(decisionTable({ evidence: { loading }, on_success: [] })).toMatchObject([
    { what: "formats of its files", candidate: "not read: it was registered by an earlier release" },
  ]);
});
