import { expect, test } from "vitest";
import { noAnswers } from "../../../../src/agents/model_deployer/domain/evidence/figures.ts";
import { decideRetry } from "../../../../src/agents/model_deployer/actions/control_rollout/retry.ts";
import { type RetryFacts } from "../../../../src/agents/model_deployer/actions/control_rollout/facts.ts";
import type { Rollout } from "../../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import type {
  AskedJudgeSettings,
  Verdict,
} from "../../../../src/agents/model_deployer/domain/evidence/judgement.ts";
import { changesOf, movesOf, planOf, refusalOf, routeOf } from "../../../support/decisions/decided.ts";
import {
  aDeployment,
  anEndpoint,
  anExperiment,
  aPolicy,
  aRollout,
  aVersion,
  context,
  deployFacts,
  ENDPOINT,
  later,
  NOW,
  someEvidence,
} from "../../../support/given/given_facts.ts";

const aborted = aRollout({ status: "aborted", next_tick_at: null });

function retry(facts: Partial<RetryFacts> = {}, judge?: AskedJudgeSettings) {
  const rollout = facts.rollout === undefined ? aborted : facts.rollout;
  const known: RetryFacts = {
    ...deployFacts({ version: aVersion(2, { stage: "archived" }) }),
    rollout,
    candidate: aDeployment(2, { status: "rolled_back", replicas: 3 }),
    experiment: anExperiment(),
    production: aVersion(1),
    since: [],
    shadow: someEvidence(),
    ...facts,
  };
  const request = {
    action: "retry" as const,
    rollout_id: null,
    endpoint_name: ENDPOINT,
    rollout_reason: "fixed",
    judge,
  };
  return decideRetry(request, known, context);
}

test("the same version, size, steps and settings begin again as a new deployment, and say what they retry", () => {
  const judge = { ...aborted.judge, minimum_samples: 77 };
  const plan = planOf(retry({ rollout: { ...aborted, judge } }));
  expect(routeOf(plan).weights).toEqual({ d1: 90, deploy_new: 10 });
  expect(changesOf(plan.intent, "insert_deployment")[0]?.deployment).toMatchObject({ replicas: 3 });
  const [started] = changesOf(plan.on_success, "start_rollout");
  expect(started).toMatchObject({ reason: "retry of rollout_2: fixed", rollout: { step_index: 0, judge } });
  expect(started?.rollout.steps).toEqual(aborted.steps);
  expect(started?.rollout.judge_state).not.toBe(aborted.judge_state);
});

test("caution is counted from the steps that were asked for, not from those of the rollout that it retries", () => {
  const steps = [5, 50, 100].map((weight) => ({ weight, bake_seconds: 120 }));
  const asked_steps = [10, 50, 100].map((weight) => ({ weight, bake_seconds: 60 }));
  const experience = { rollbacks: 1, completed_rollouts: 0 };
  const plan = planOf(retry({ rollout: { ...aborted, steps, asked_steps }, experience }));
  const [started] = changesOf(plan.on_success, "start_rollout");
  expect(started?.rollout).toMatchObject({ steps, asked_steps });
});

test("one thing has happened, so one thing is told", () => {
  const told = changesOf(planOf(retry()).on_success, "enqueue");
  expect(told.filter(({ topic }) => topic === "episodic_memory")).toHaveLength(1);
});

test("its version returns to production in one transaction with the rollout, and the other one leaves", () => {
  expect(movesOf(planOf(retry()))).toEqual([
    "mv_1: production > archived (supersession)",
    "mv_2: archived > production (promotion)",
  ]);
  const there = { version: aVersion(2), production: aVersion(2) };
  expect(movesOf(planOf(retry(there)))).toEqual([]);
});

test.each([
  ["aborted", 0, 0],
  ["aborted", 2, 2],
  ["rolled_back", 0, 1],
  ["rolled_back", 2, 2],
] as const)(
  "one that was %s, where production asks for %i approvals, asks for %i",
  (status, asked, needed) => {
    const policy = aPolicy({ approvals_for_production: asked });
    const plan = planOf(retry({ rollout: { ...aborted, status }, policy }));
    expect(plan.approvals_needed).toBe(needed);
  },
);

test("one that begins with most of the traffic needs the approvals of both moves", () => {
  const policy = aPolicy({ approvals_by_move: { immediate_deployment: 2, retry: 0 } });
  const steps = [60, 100].map((weight) => ({ weight, bake_seconds: 60 }));
  expect(planOf(retry({ rollout: { ...aborted, steps, asked_steps: steps }, policy })).approvals_needed).toBe(
    2,
  );
  expect(planOf(retry({ policy })).approvals_needed).toBe(0);
});

test("an endpoint that goes to and fro takes no retry either, but one that goes out at once", () => {
  const deployments = [2, 3].map((number) => {
    return aDeployment(number, { status: "rolled_back", rolled_back_at: later(-60 * number) });
  });
  const rolledBack: Rollout = { ...aborted, status: "rolled_back" };
  const refusal = refusalOf(retry({ rollout: rolledBack, deployments }));
  expect(refusal.code).toBe("conflict");
  expect(refusal.sentence).toContain("rolled back 2 times within an hour");
  const atOnce = { ...rolledBack, asked_steps: [{ weight: 100, bake_seconds: 0 }] };
  expect(planOf(retry({ rollout: atOnce, deployments })).approvals_needed).toBe(1);
});

test("the approver reads why it ended, and sees what the gate looked at", () => {
  const verdict: Verdict = {
    outcome: "fail",
    reason: "candidate failed 9 of 9.",
    lacks: null,
    candidate: { ...noAnswers, requests: 9, errors: 9 },
    baseline: { ...noAnswers, requests: 81 },
    e_value: 1000,
    worse_by_at_most: null,
    signals: [],
  };
  const rollout = aRollout({ status: "rolled_back", verdict });
  const { notes, evidence } = planOf(retry({ rollout }));
  expect(notes).toContain("rollout_2 was rolled back: candidate failed 9 of 9.");
  expect(evidence).toMatchObject({
    metrics: aVersion(2).metrics,
    shadow: { requests: someEvidence().requests },
    retried_rollout: { status: "rolled_back", verdict: { outcome: "fail", reason: verdict.reason } },
  });
  expect(planOf(retry()).notes).toContain("rollout_2 was aborted: nothing was judged.");
});

test("the gate holds as it is now, with every reason", () => {
  const refusal = refusalOf(
    retry({ shadow: someEvidence({ hours: 2 }), version: aVersion(2, { stage: "archived", metrics: {} }) }),
  );
  expect(refusal.code).toBe("production_criteria_not_met");
  expect(refusal.sentence).toMatch(/^mv_2 may not return to production\. /);
  expect(refusal.unmet.map((one) => one.criterion)).toContain("shadow_hours");
  expect(refusal.unmet.length).toBeGreaterThan(1);
});

test.each<[string, Partial<RetryFacts>, string, RegExp]>([
  ["it runs", { rollout: aRollout() }, "conflict", /is running on e2i_remission; wait for its end/],
  [
    "it is paused",
    { rollout: aRollout({ status: "paused" }) },
    "conflict",
    /is paused on e2i_remission; wait/,
  ],
  ["it is completed", { rollout: aRollout({ status: "completed" }) }, "conflict", /nothing to retry/],
  [
    "another one is under way",
    { open_rollout: aRollout({ rollout_id: "rollout_3" }) },
    "conflict",
    /^Rollout rollout_3 of d2 is running/,
  ],
  [
    "its version serves",
    { deployments: [aDeployment(2)], endpoint: anEndpoint({ weights: { d2: 100 } }) },
    "conflict",
    /mv_2 serves already, as d2/,
  ],
  [
    "its shadow is of another time",
    { shadow: someEvidence({ collected_at: later(-31 * 86_400) }) },
    "production_criteria_not_met",
    /seen last 31.0 days ago, and may be 30 days old/,
  ],
  ["its version went elsewhere", { version: aVersion(2, { stage: "staging" }) }, "conflict", /is at staging/],
  ["there is none", { rollout: null }, "not_found", /see status/],
])("it is not retried when %s", (_why, facts, code, sentence) => {
  const refusal = refusalOf(retry(facts));
  expect(refusal.code).toBe(code);
  expect(refusal.sentence).toMatch(sentence);
});

test("it begins anew whatever has served since, and the approver reads what did", () => {
  const since = [{ model_version_id: "mv_3", occurred_at: NOW }];
  for (const production of [aVersion(3), null]) {
    expect(planOf(retry({ production, since })).notes).toContain(
      `At production since then: mv_3 from ${NOW}.`,
    );
  }
});

test("it may begin again under other settings of the judge; those that are left out stay as they were", () => {
  const [begun] = changesOf(
    planOf(retry({}, { margin: 0.1, minimum_samples: 7 })).on_success,
    "start_rollout",
  );
  expect(begun?.rollout.judge).toEqual({ ...aborted.judge, margin: 0.1, minimum_samples: 7 });
  expect(refusalOf(retry({}, { margin: 0.005 })).sentence).toContain("below its effect_floor");
});
