import { expect, test } from "vitest";
import { changesOf, movesOf, routeOf, statusesOf } from "../../support/decided.ts";
import { advance, changeOfHold, type Count, planOfMove } from "../../support/given_advance.ts";
import { aRollout, figuresOf, later } from "../../support/given_facts.ts";

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

test("the last step completes it: the candidate is active, the old one stays warm", () => {
  const plan = planOfMove({ rollout: { step_index: 1 } });
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

test("without enough samples it holds, counts the look, and never goes on", () => {
  expect(changeOfHold({ candidate: [0, 49], seconds: 86_400 })).toMatchObject({ inconclusive_looks: 1 });
});

test("a verdict ends the count of inconclusive looks", () => {
  expect(changeOfHold({ rollout: { inconclusive_looks: 2 }, seconds: 1 }).inconclusive_looks).toBe(0);
});

test("too many looks without a verdict roll it back", () => {
  const plan = planOfMove({ rollout: { inconclusive_looks: 2 }, candidate: [0, 49] });
  expect(routeOf(plan).weights).toEqual({ d1: 100 });
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([
    { status: "rolled_back", verdict: { outcome: "inconclusive" } },
  ]);
});

test("no step is given up before its bake time is over, in which it gathers its samples", () => {
  const given = { rollout: { inconclusive_looks: 2 }, candidate: [0, 49] as const };
  expect(changeOfHold({ ...given, seconds: 59 })).toMatchObject({ status: "running", inconclusive_looks: 3 });
  expect(routeOf(planOfMove({ ...given, seconds: 60 })).weights).toEqual({ d1: 100 });
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
  const looks: [Count, Count][] = [
    [
      [6, 60],
      [1, 540],
    ],
    [
      [12, 120],
      [2, 1080],
    ],
    [
      [18, 180],
      [3, 1620],
    ],
    [
      [24, 240],
      [4, 2160],
    ],
  ];
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
    expect.stringMatching(/^rollout_2 has lost its endpoint or one of its deployments: 9 failures/),
  );
});

test("whatever it comes to, the counters of this look are what the next one starts from", () => {
  const expected = [figuresOf("d1", [0, 540]), figuresOf("d2", [0, 60])];
  const moved = changesOf(planOfMove().on_success, "move_rollout")[0];
  expect(moved?.judge_state.last_figures).toEqual(expected);
  expect(changeOfHold({ seconds: 1 }).judge_state.last_figures).toEqual(expected);
});
