import { expect, test } from "vitest";
import { approvalsByMove } from "../../../src/agents/model_deployer/planning/approval/approvals_needed.ts";
import { decideDeploy } from "../../../src/agents/model_deployer/actions/deploy/decide.ts";
import { decidePromote } from "../../../src/agents/model_deployer/actions/promote/decide.ts";
import { decideRetry } from "../../../src/agents/model_deployer/actions/control_rollout/retry.ts";
import { decidePromoteNow } from "../../../src/agents/model_deployer/actions/control_rollout/promote_now.ts";
import {
  type ApprovedMove,
  gatePolicySchema,
  type GatePolicy,
  STANDARD_GATE_POLICY,
} from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import type { Decision } from "../../../src/agents/model_deployer/domain/plan.ts";
import { planOf } from "../../support/decisions/decided.ts";
import {
  aDeployment,
  anEndpoint,
  anExperiment,
  aPolicy,
  aRollout,
  aVersion,
  context,
  deployFacts,
  someEvidence,
  NO_ENTRIES,
} from "../../support/given/given_facts.ts";

const serving = anEndpoint({ weights: { d1: 90, d2: 10 } });
const open = aRollout();
const wayBack = {
  current: aDeployment(2, { status: "deploying" }),
  current_version: aVersion(2),
  endpoint: serving,
  previous: aDeployment(1),
  previous_version: aVersion(1, { stage: "archived" }),
  previous_server: "ready" as const,
  open_rollout: open,
  completed_rollout: null,
  live: { figures: [] },
};

function promote(policy: GatePolicy, to: "production" | "archived", ends = false): Decision {
  const version = aVersion(3, { stage: to === "production" ? "shadow" : "production" });
  return decidePromote(
    {
      action: "promote",
      model_version_id: "mv_3",
      target_stage: to,
      current_stage: null,
      promotion_reason: "better",
    },
    {
      version,
      experiment: anExperiment(),
      policy: { ...policy, during_rollout: "supersede" },
      shadow: someEvidence(),
      vulnerabilities: NO_ENTRIES,
      production: null,
      endpoint: serving,
      serving: [],
      open_rollout: ends ? open : null,
      way_back: ends ? wayBack : null,
      live: { figures: [] },
      ended: { ways: null, last_rollout: null },
      notes: [],
    },
    context,
  );
}

function deployAtOnce(policy: GatePolicy): Decision {
  return decideDeploy(
    {
      action: "deploy",
      model_version_id: "mv_2",
      target_stage: "production",
      replicas: 1,
      cpu_limit: "1",
      memory_limit: "1Gi",
      autoscaling: { min: 1, max: 1, target_cpu: 60 },
      rollout: { steps: [60, 100].map((weight) => ({ weight, bake_seconds: 0 })) },
    },
    { ...deployFacts({ policy }), open_rollout: null },
    context,
  );
}

const named = { rollout_id: null, endpoint_name: "e2i_remission", rollout_reason: "it looks good" };

function promoteNow(policy: GatePolicy): Decision {
  const facts = { ...wayBack, rollout: open, candidate_is_ready: true, policy, retention_seconds: 3600 };
  return decidePromoteNow({ action: "promote_now", ...named }, facts, context);
}

function retry(policy: GatePolicy, status: "aborted" | "rolled_back" = "aborted"): Decision {
  const rollout = aRollout({ status });
  return decideRetry(
    { action: "retry", ...named },
    {
      ...deployFacts({ policy }),
      version: aVersion(2, { stage: "archived" }),
      rollout,
      candidate: aDeployment(2, { status: "rolled_back" }),
      experiment: anExperiment(),
      production: aVersion(1),
      since: [],
      shadow: someEvidence(),
    },
    context,
  );
}

const moves: [ApprovedMove, (policy: GatePolicy) => Decision][] = [
  ["promotion", (policy) => promote(policy, "production")],
  ["supersession", (policy) => promote(policy, "production", true)],
  ["archival", (policy) => promote(policy, "archived")],
  ["immediate_deployment", deployAtOnce],
  ["promote_now", promoteNow],
  ["retry", (policy) => retry(policy)],
];

test.each(moves)("%s needs what the policy says of it, and else what production needs", (move, decide) => {
  const others = { approvals_for_production: 2 };
  expect(planOf(decide(aPolicy(others))).approvals_needed).toBe(2);
  const named = planOf(decide(aPolicy({ ...others, approvals_by_move: { [move]: 3 } })));
  expect(named.approvals_needed).toBe(3);
  expect(named.notes.join()).toContain(`asks for 3 approvals of ${move.replaceAll("_", " ")}`);
});

test("a promotion that ends a rollout needs no fewer approvals than any other promotion", () => {
  const policy = aPolicy({ approvals_by_move: { promotion: 2, supersession: 0 } });
  expect(planOf(promote(policy, "production", true)).approvals_needed).toBe(2);
});

test("what was rolled back returns by an approval even where the policy asks for none", () => {
  const policy = aPolicy({ approvals_by_move: { retry: 0 } });
  expect(planOf(retry(policy)).approvals_needed).toBe(0);
  expect(planOf(retry(policy, "rolled_back")).approvals_needed).toBe(1);
});

test("a policy from before moves were named is read as asking the same of each", () => {
  const { approvals_by_move: _, ...before } = { ...STANDARD_GATE_POLICY, approvals_for_production: 2 };
  const asked = approvalsByMove(gatePolicySchema.parse(before));
  expect(asked.map(([, needed]) => needed)).toEqual([2, 2, 2, 2, 2, 2]);
});
