import { expect, test } from "vitest";
import { changesOf, movesOf, routeOf, statusesOf } from "../../../support/decisions/decided.ts";
import { advance, changeOfHold, type Count, planOfMove } from "../../../support/given/given_advance.ts";
import { aRollout, figuresOf, later } from "../../../support/given/given_facts.ts";

test("a step that is baked and passes leads to the next one", () => {
  const plan = planOfMove();
  expect(routeOf(plan)).toMatchObject({
    expected_generation: 7,
    weights: { d1: 50, d2: 50 },
    mirror_deployment_id: "d5",
  });
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([
    {
      expected_step_index: 0,
      expected_status: ["running"],
      status: "running",
      step_index: 1,
      step_started_at: later(60),
      verdict: { outcome: "pass" },
      judge_state: { candidate: { requests: 60, errors: 0 } },
    },
  ]);
  expect(statusesOf(plan.on_success)).toEqual([]);
  expect(plan.preempts).toBe(false);
});

const enough = { candidate: [0, 600], baseline: [3, 5400] } as const;

test("all traffic waits until being worse by the margin is excluded, and says so", () => {
  const held = changeOfHold({ rollout: { step_index: 1 }, candidate: [0, 60] });
  expect(held.verdict).toMatchObject({ outcome: "inconclusive", lacks: "bound" });
  expect(held.verdict?.reason).toContain("worse by 2.00 % is not excluded yet");
  const plan = planOfMove({ rollout: { step_index: 1 }, ...enough });
  const reason = /worse by at most [\d.]+ %/;
  expect(routeOf(plan).reason).toMatch(reason);
  expect(routeOf(plan).metrics?.["worse_by_at_most"]).toBeLessThanOrEqual(0.02);
});

test("the last step completes it: the candidate is active, the old one stays warm", () => {
  const plan = planOfMove({ rollout: { step_index: 1 }, ...enough });
  expect(routeOf(plan).weights).toEqual({ d2: 100 });
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([
    { status: "completed", step_index: 2, next_tick_at: later(65), watched_until: later(3660) },
  ]);
  expect(statusesOf(plan.on_success)).toEqual(["d2: deploying > active", "d1: active > draining (3600)"]);
  expect(changesOf(plan.on_success, "enqueue").map((entry) => entry.topic)).toEqual([
    "procedural_memory",
    "episodic_memory",
  ]);
  expect(changesOf(plan.on_success, "enqueue")[1]?.payload).toMatchObject({ outcome_type: "success" });
});

test("a second too early the step is held, however good it looks", () => {
  const change = changeOfHold({ seconds: 59 });
  expect(change).toMatchObject({
    step_index: 0,
    status: "running",
    step_started_at: null,
    inconclusive_looks: 0,
  });
  expect(change.next_tick_at).toBe(later(60));
  expect(change.judge_state.candidate.requests).toBe(60);
});

test("without enough samples it holds however long, names the pace, and sends nobody back", () => {
  const rollout = { inconclusive_looks: 2 };
  const held = changeOfHold({ rollout, candidate: [0, 49], seconds: 86_400 });
  expect(held).toMatchObject({ status: "running", inconclusive_looks: 2, verdict: { lacks: "samples" } });
  expect(held.verdict?.reason).toContain("2.0 answers an hour");
  const none = changeOfHold({ rollout, candidate: [0, 0], baseline: [0, 0], seconds: 86_400 });
  expect(none.verdict?.reason).toContain("No request has come to the candidate at this step");
});

test("a verdict ends the count of inconclusive looks", () => {
  expect(changeOfHold({ rollout: { inconclusive_looks: 2 }, seconds: 1 }).inconclusive_looks).toBe(0);
});

/** It may fail more often, and may not. */
const doubtful = { candidate: [3, 60], baseline: [4, 540] } as const;

test("too many looks without a verdict roll it back", () => {
  const plan = planOfMove({ rollout: { inconclusive_looks: 2 }, ...doubtful });
  expect(routeOf(plan).weights).toEqual({ d1: 100 });
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([
    { status: "rolled_back", verdict: { outcome: "inconclusive" } },
  ]);
});

test("no step is given up before its bake time is over, in which it gathers its samples", () => {
  const given = { rollout: { inconclusive_looks: 2 }, ...doubtful };
  expect(changeOfHold({ ...given, seconds: 59 })).toMatchObject({ status: "running", inconclusive_looks: 3 });
  expect(routeOf(planOfMove({ ...given, seconds: 60 })).weights).toEqual({ d1: 100 });
  const judge = { ...aRollout().judge, when_inconclusive: "hold" as const };
  const patient = { ...given, rollout: { ...given.rollout, judge } };
  expect(changeOfHold({ ...patient, seconds: 60 })).toMatchObject({
    status: "running",
    inconclusive_looks: 3,
  });
});

test("a candidate that only fails is rolled back at once, with the numbers in the history", () => {
  const plan = planOfMove({ candidate: [5, 5], seconds: 1 });
  expect(plan.preempts).toBe(true);
  expect(routeOf(plan)).toMatchObject({ weights: { d1: 100 } });
  expect(routeOf(plan).reason).toContain("candidate failed 5 of 5");
  expect(statusesOf(plan.on_success)).toEqual(["d2: active|deploying > rolled_back (300)"]);
  expect(movesOf(plan)).toEqual([
    "mv_2: production > archived (rollback)",
    "mv_1: archived > production (rollback)",
  ]);
  expect(changesOf(plan.on_success, "set_stage")[0]?.evidence).toMatchObject({
    verdict: { outcome: "fail", candidate: { errors: 5, requests: 5 } },
  });
});

test("evidence gathered over the looks rolls back a candidate that fails now and then", () => {
  let rollout = aRollout();
  const looks = [1, 2, 3, 4, 5, 6].map((look): [Count, Count] => [
    [2 * look, 60 * look],
    [2 * look, 540 * look],
  ]);
  const outcomes = looks.map(([candidate, baseline]) => {
    const made = advance({ rollout, candidate, baseline, seconds: 1 });
    if (made.advance === "hold") rollout = { ...rollout, judge_state: made.change.judge_state };
    return made.advance;
  });
  expect(outcomes[0]).toBe("hold");
  expect(outcomes.at(-1)).toBe("move");
});

test.each(["completed", "rolled_back", "aborted"] as const)(
  "a rollout that is %s is left alone",
  (status) => {
    expect(advance({ rollout: { status } })).toEqual({ advance: "nothing", why: `rollout_2 is ${status}` });
  },
);

test("a rollout with nothing to go back to is stuck, and says why", () => {
  const made = advance({ candidate: [9, 9], facts: { previous: null } });
  expect(made.advance).toBe("stuck");
  expect(made).toHaveProperty(
    "why",
    expect.stringMatching(
      /^rollout_2 has lost its endpoint or one of its deployments: the candidate fails more often/,
    ),
  );
});

test("whatever it comes to, the counters of this look are what the next one starts from", () => {
  const expected = [figuresOf("d1", [0, 540]), figuresOf("d2", [0, 60])];
  const moved = changesOf(planOfMove().on_success, "move_rollout")[0];
  expect(moved?.judge_state.last_figures).toEqual(expected);
  expect(changeOfHold({ seconds: 1 }).judge_state.last_figures).toEqual(expected);
});
