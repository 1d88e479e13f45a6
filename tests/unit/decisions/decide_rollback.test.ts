import { expect, test } from "vitest";
import { decideRollback } from "../../../src/agents/model_deployer/actions/rollback/decide.ts";
import { type RollbackFacts } from "../../../src/agents/model_deployer/actions/rollback/facts.ts";
import { newJudgeState } from "../../../src/agents/model_deployer/judge/observe.ts";
import type { Rollout } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import {
  announcementsOf,
  changesOf,
  movesOf,
  planOf,
  refusalOf,
  routeOf,
  statusesOf,
  stepsOf,
} from "../../support/decisions/decided.ts";
import {
  aDeployment,
  anEndpoint,
  aRollout,
  aVersion,
  context,
  ENDPOINT,
  figuresOf,
  later,
  NOW,
} from "../../support/given/given_facts.ts";

const first = aVersion(1, { stage: "archived", stage_revision: 4 });

function decide(facts: Partial<RollbackFacts> = {}) {
  const known: RollbackFacts = {
    current: aDeployment(2),
    current_version: aVersion(2),
    endpoint: anEndpoint({ weights: { d2: 100 } }),
    previous: aDeployment(1, { status: "draining" }),
    previous_version: first,
    previous_server: "ready",
    open_rollout: null,
    completed_rollout: null,
    live: { figures: [] },
    ...facts,
  };
  const request = {
    action: "rollback" as const,
    current_deployment_id: "d2",
    rollback_reason: "wrong scores",
  };
  return decideRollback(request, known, context);
}

test("warm: one change of weights, no approval, and it waits for nobody", () => {
  const plan = planOf(decide());
  expect(stepsOf(plan)).toEqual(["want_route", "apply_route"]);
  expect(routeOf(plan)).toMatchObject({ expected_generation: 7, weights: { d1: 100 } });
  expect(plan).toMatchObject({ lease_name: ENDPOINT, preempts: true, approvals_needed: 0 });
  expect(statusesOf(plan.on_success)).toEqual([
    "d2: active|deploying > rolled_back (300)",
    "d1: draining > active",
  ]);
  expect(changesOf(plan.on_success, "set_deployment_status")[0]?.rollback_reason).toBe("wrong scores");
  expect(movesOf(plan)).toEqual([
    "mv_2: production > archived (rollback)",
    "mv_1: archived > production (rollback)",
  ]);
  expect(plan.draft).toMatchObject({ rollback_successful: true, active_deployment_id: "d1", notes: [] });
  expect(announcementsOf(plan)).toEqual([
    "registry_projection op_new:registry:mv_2",
    "registry_projection op_new:registry:mv_1",
    "episodic_memory op_new:episode:rollback",
    "procedural_memory op_new:procedure:rollback",
  ]);
});

test("cold: the old bento is served again first, as it was, and the answer says so", () => {
  const plan = planOf(decide({ previous_server: "away" }));
  expect(stepsOf(plan)).toEqual(["package_model", "start_server", "want_route", "apply_route"]);
  expect(plan.steps[0]?.do).toMatchObject({ bento_tag: "e2i_remission:v1", artifact_digest: "digest1" });
  expect(plan.steps[1]?.do).toMatchObject({ deployment_id: "d1", resources: { cpu_limit: "2" } });
  expect(plan.draft.notes[0]).toContain("started again from its bento");
});

test("cold: a server that had been ended ends again if its route is refused, one that had not stays", () => {
  const undoOf = (drained_at: string | null) => {
    const previous = aDeployment(1, { status: "draining", drained_at });
    const { steps } = planOf(decide({ previous, previous_server: "away" }));
    return steps.find((one) => one.do.step === "start_server")?.undo;
  };
  expect(undoOf(NOW)).toEqual([{ step: "stop_server", deployment_id: "d1" }]);
  expect(undoOf(null)).toEqual([]);
});

const midway = (rollout: Partial<Rollout>): Partial<RollbackFacts> => ({
  current: aDeployment(2, { status: "deploying" }),
  endpoint: anEndpoint({ weights: { d1: 90, d2: 10 } }),
  previous: aDeployment(1),
  open_rollout: aRollout(rollout),
});
const pause = { by: "ana", reason: "quiet, please", since: NOW };

test("in the middle of a rollout: the candidate goes, the baseline never left, the rollout ends", () => {
  const plan = planOf(decide(midway({ status: "paused", pause })));
  expect(routeOf(plan).weights).toEqual({ d1: 100 });
  expect(statusesOf(plan.on_success)).toEqual(["d2: active|deploying > rolled_back (300)"]);
  const held = { rollout_id: "rollout_2", next_tick_at: null };
  expect(changesOf(plan.intent, "move_rollout")).toMatchObject([
    { ...held, status: "paused", expected_status: ["running", "paused"] },
  ]);
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([
    { ...held, status: "rolled_back", expected_status: ["running", "paused"] },
  ]);
});

const answered = { figures: [figuresOf("d2", [31, 412]), figuresOf("d1", [1, 3801])] };

test("the history gets what the versions had answered when somebody rolled back, with no judge to see it", () => {
  const plan = planOf(decide({ live: answered }));
  expect(routeOf(plan).metrics).toEqual({
    candidate_requests: 412,
    candidate_errors: 31,
    candidate_p50_ms: 1,
    candidate_p99_ms: 2,
    baseline_requests: 3801,
    baseline_errors: 1,
    baseline_p50_ms: 1,
    baseline_p99_ms: 2,
  });
  const live_figures = { candidate: { deployment_id: "d2", requests: 412 }, baseline: { errors: 1 } };
  expect(routeOf(plan).evidence).toMatchObject({ live_figures });
  const [archived] = changesOf(plan.on_success, "set_stage");
  expect(archived).toMatchObject({ metrics: { test_auc: 0.9 }, evidence: { live_figures } });
});

test("of a rollout that somebody rolls back, the history has what was answered since its last look too", () => {
  const judge_state = newJudgeState([figuresOf("d1", [0, 3000])], "d1");
  const plan = planOf(decide({ ...midway({ judge_state }), live: answered }));
  const counted = {
    candidate_requests: 412,
    candidate_errors: 31,
    baseline_requests: 801,
    baseline_errors: 1,
  };
  expect(routeOf(plan).metrics).toMatchObject(counted);
  const [ended] = changesOf(plan.on_success, "move_rollout");
  expect(ended?.verdict).toMatchObject({ candidate: { requests: 412, errors: 31 } });
  expect(ended?.event).toMatchObject({ kind: "rollout_rolled_back", metrics: counted });
});

test("figures that were not had hold nothing up, and are named as missing", () => {
  const plan = planOf(decide({ ...midway({}), live: { missing: "Envoy did not answer" } }));
  expect(stepsOf(plan)).toEqual(["want_route", "apply_route"]);
  expect(routeOf(plan).metrics).toEqual({});
  const evidence = { live_figures: null, live_figures_missing: "Envoy did not answer" };
  expect(routeOf(plan).evidence).toEqual(evidence);
  expect(plan.draft.notes.join()).toContain("no live figures of this moment: Envoy did not answer");
});

test.each<[string, Partial<Rollout>, Rollout["status"]]>([
  ["running", { status: "running", next_tick_at: later(5) }, "running"],
  ["paused by somebody", { status: "paused", pause, next_tick_at: later(5) }, "paused"],
  ["paused, and held still by another rollback", { status: "paused", pause, next_tick_at: null }, "paused"],
  ["held still by another rollback", { status: "paused", next_tick_at: null }, "running"],
])("a rollout that was %s goes on so when its rollback fails, and is looked at", (_what, rollout, status) => {
  const [held] = changesOf(planOf(decide(midway(rollout))).on_failure, "move_rollout");
  expect(held).toMatchObject({ status, expected_status: ["running", "paused"] });
  expect(held?.next_tick_at).toBe(rollout.next_tick_at ?? NOW);
  expect(held).not.toHaveProperty("pause");
});

test("another deployment of the same version moves no stage", () => {
  const version = aVersion(2);
  expect(movesOf(planOf(decide({ current_version: version, previous_version: version })))).toEqual([]);
});

test("a version that a newer one has superseded gives its place to nobody: production has that one", () => {
  const superseded = aVersion(2, { stage: "archived", stage_revision: 4 });
  expect(movesOf(planOf(decide({ current_version: superseded })))).toEqual([]);
});

test("a mirror to the one that goes ends with it, another stays", () => {
  const own = anEndpoint({ weights: { d2: 100 }, mirror_deployment_id: "d2" });
  expect(routeOf(planOf(decide({ endpoint: own }))).mirror_deployment_id).toBeNull();
  const other = anEndpoint({ weights: { d2: 100 }, mirror_deployment_id: "d5" });
  expect(routeOf(planOf(decide({ endpoint: other }))).mirror_deployment_id).toBe("d5");
});

test.each<[string, Partial<RollbackFacts>, string, RegExp]>([
  ["an unknown deployment", { current: null }, "not_found", /d2 does not exist/],
  [
    "a shadow",
    { current: aDeployment(2, { target_stage: "shadow" }) },
    "rollback_failed",
    /d2 serves shadow/,
  ],
  [
    "what was rolled back",
    { current: aDeployment(2, { status: "rolled_back" }), endpoint: anEndpoint({ weights: { d1: 100 } }) },
    "rollback_failed",
    /is rolled_back/,
  ],
  [
    "what is being brought back at this moment",
    { current: aDeployment(2, { status: "draining" }), endpoint: anEndpoint({ weights: { d2: 100 } }) },
    "conflict",
    /is being brought back at this moment/,
  ],
  ["what failed", { current: aDeployment(2, { status: "failed" }) }, "rollback_failed", /is failed/],
  [
    "nothing to go back to",
    { previous: null },
    "rollback_failed",
    /No previous production deployment found for d2/,
  ],
  ["a lost endpoint", { endpoint: null }, "rollback_failed", /No previous production/],
])("%s is refused", (_what, facts, code, sentence) => {
  const refusal = refusalOf(decide(facts));
  expect(refusal.code).toBe(code);
  expect(refusal.sentence).toMatch(sentence);
});

test("a rollout's baseline is not rolled back under it: the rollout would give it traffic again", () => {
  const open_rollout = aRollout({
    rollout_id: "rollout_3",
    deployment_id: "d3",
    baseline_deployment_id: "d2",
  });
  const refusal = refusalOf(decide({ open_rollout }));
  expect(refusal.code).toBe("rollback_failed");
  expect(refusal.sentence).toMatch(/d2 is the baseline of rollout_3; roll d3 back first/);
});
