import { expect, test } from "vitest";
import { changesOf, routeOf, statusesOf } from "../../support/decided.ts";
import { advance, changeOfHold, type Count, planOfMove } from "../../support/given_advance.ts";
import { aDeployment, anEndpoint, aRollout, later, NOW } from "../../support/given_facts.ts";

const bad: Count = [30, 60];

test("each step gathers its own samples before it may pass", () => {
  const moved = changesOf(planOfMove().on_success, "move_rollout")[0];
  const second = { step_index: 1, ...(moved && { judge_state: moved.judge_state }) };
  const held = changeOfHold({ rollout: second, candidate: [0, 109], baseline: [0, 600] });
  expect(held.verdict?.reason).toContain("49 of at least 50 samples at this step");
  expect(changeOfHold({ rollout: second, candidate: [0, 110], seconds: 1 }).verdict?.outcome).toBe("pass");
});

const lastIsWatched = {
  steps: [
    { weight: 10, bake_seconds: 60 },
    { weight: 100, bake_seconds: 60 },
  ],
  step_index: 1,
};
const atTheEnd = { endpoint: anEndpoint({ weights: { d2: 100 } }) };

test("the last step is watched for its bake time before the rollout is completed", () => {
  const stepping = planOfMove({ rollout: { ...lastIsWatched, step_index: 0 } });
  expect(changesOf(stepping.on_success, "move_rollout")).toMatchObject([
    { status: "running", step_index: 1 },
  ]);
  expect(statusesOf(stepping.on_success)).toEqual([]);
  const early = changeOfHold({ rollout: lastIsWatched, facts: atTheEnd, seconds: 59 });
  expect(early.status).toBe("running");
  const done = planOfMove({ rollout: lastIsWatched, facts: atTheEnd });
  expect(done.steps).toEqual([]);
  expect(changesOf(done.on_success, "move_rollout")).toMatchObject([{ status: "completed", step_index: 1 }]);
  expect(statusesOf(done.on_success)).toEqual(["d2: deploying > active", "d1: active > draining (3600)"]);
});

test("at the last step a candidate that fails is rolled back, though the baseline answers nothing any more", () => {
  const before = changeOfHold({ candidate: [0, 60], baseline: [5, 540], seconds: 1 });
  const rollout = { ...lastIsWatched, judge_state: before.judge_state };
  const first = changeOfHold({ rollout, facts: atTheEnd, candidate: [20, 160], baseline: [5, 540] });
  const second = { ...rollout, judge_state: first.judge_state };
  const plan = planOfMove({ rollout: second, facts: atTheEnd, candidate: [40, 260], baseline: [5, 540] });
  expect(routeOf(plan).weights).toEqual({ d1: 100 });
});

test("while it is paused it takes no step, and is judged all the same", () => {
  const held = changeOfHold({ rollout: { status: "paused" } });
  expect(held).toMatchObject({ status: "paused", expected_status: ["paused"], step_index: 0 });
  expect(held.next_tick_at).toBe(later(61));
  const plan = planOfMove({ rollout: { status: "paused" }, candidate: [9, 9] });
  expect(routeOf(plan).weights).toEqual({ d1: 100 });
  expect(routeOf(plan).reason).toContain("automatic, while it was paused");
});

test("what stays inconclusive waits for a person where the settings say so, and is still looked at", () => {
  const judge = { ...aRollout().judge, when_inconclusive: "pause" as const };
  const plan = planOfMove({ rollout: { judge, inconclusive_looks: 2 }, candidate: [0, 49] });
  expect(plan.steps).toEqual([]);
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([
    {
      status: "paused",
      step_index: 0,
      next_tick_at: later(61),
      inconclusive_looks: 0,
      pause: { by: "the judge", since: later(60) },
      event: { kind: "rollout_paused" },
    },
  ]);
  expect(changesOf(plan.on_success, "enqueue")[0]?.payload).toMatchObject({ outcome_type: "escalated" });
  expect(plan.draft.notes.join()).toContain("no verdict after 3 looks");
});

const watched = {
  status: "completed" as const,
  step_index: 2,
  watched_until: later(3600),
  judge_state: changeOfHold({ baseline: [5, 540], seconds: 1 }).judge_state,
};
const replaced = {
  current: aDeployment(2),
  endpoint: anEndpoint({ weights: { d2: 100 } }),
  previous: aDeployment(1, { status: "draining" }),
  open_rollout: null,
};

test("a completed rollout that turns bad in the retention period goes back at once", () => {
  const plan = planOfMove({ rollout: watched, facts: replaced, candidate: [9, 69], baseline: [5, 540] });
  expect(routeOf(plan)).toMatchObject({ weights: { d1: 100 } });
  expect(routeOf(plan).reason).toContain("automatic, in the retention period: 9 failures of the candidate");
  expect(changesOf(plan.intent, "move_rollout")).toMatchObject([
    { status: "completed", expected_status: ["completed"], next_tick_at: null },
  ]);
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([{ status: "rolled_back" }]);
  expect(changesOf(plan.on_failure, "move_rollout")).toMatchObject([
    { status: "completed", expected_status: ["completed"], next_tick_at: NOW },
  ]);
  expect(statusesOf(plan.on_success)).toEqual([
    "d2: active|deploying > rolled_back (300)",
    "d1: draining > active",
  ]);
});

test("in the retention period nothing goes back to a server that does not answer, and the look says so", () => {
  const facts = { ...replaced, previous_is_ready: false };
  const made = advance({ rollout: watched, facts, candidate: [9, 69], baseline: [5, 540] });
  expect(made).toMatchObject({ advance: "hold", change: { status: "completed" } });
  expect(made.advance === "hold" && made.problem).toContain("not rolled back by itself, because d1");
});

test.each([
  ["its time is over", 3600, {}],
  ["another version has replaced it", 5, { current: aDeployment(2, { status: "draining" }) }],
  ["it was rolled back by hand", 5, { current: aDeployment(2, { status: "rolled_back" }) }],
])("a completed rollout is watched no longer when %s", (_why, seconds, facts) => {
  const change = changeOfHold({ rollout: watched, facts: { ...replaced, ...facts }, seconds });
  expect(change).toMatchObject({ status: "completed", next_tick_at: null });
});

test("while another version has a share a completed rollout is watched on, and moves nothing", () => {
  const facts = { ...replaced, endpoint: anEndpoint({ weights: { d2: 90, d3: 10 } }) };
  const change = changeOfHold({ rollout: watched, facts, candidate: [9, 69], seconds: 5 });
  expect(change).toMatchObject({ status: "completed", next_tick_at: later(10) });
});

const baselineIsGone = {
  previous_is_ready: false,
  previous_life: { life: "gone" as const, why: "its process has ended" },
};

test("a baseline whose server has died is started again; that look counts for nothing and promotes nothing", () => {
  const made = advance({ facts: baselineIsGone, baseline: [500, 540] });
  expect(made.advance === "move" && made.problem).toContain("the baseline d1 does not answer");
  const plan = planOfMove({ facts: baselineIsGone, baseline: [500, 540] });
  expect(plan.steps.map((step) => step.do.step)).toEqual(["package_model", "start_server", "apply_route"]);
  const [kept] = changesOf(plan.on_success, "move_rollout");
  expect(kept).toMatchObject({ step_index: 0, judge_state: { baseline: { errors: 0, requests: 0 } } });
  expect(kept?.judge_state.last_figures).toHaveLength(2);
  expect(changesOf(plan.on_failure, "move_rollout")).toMatchObject([{ next_tick_at: later(90) }]);
});

test("a candidate that fails beside a dead baseline waits for the baseline's server, then goes", () => {
  const plan = planOfMove({ facts: baselineIsGone, candidate: bad });
  expect(plan.steps.map((step) => step.do.step)).toContain("start_server");
});

test.each(["missed", "silent"] as const)(
  "a baseline that has a process is not started again, though it %s",
  (life) => {
    const facts = { previous_is_ready: false, previous_life: { life, why: "it does not answer" } };
    expect(advance({ facts, seconds: 1 }).advance).toBe("hold");
  },
);

test("a candidate that missed one probe is held, and one that missed all of them goes back", () => {
  const missed = { candidate_life: { life: "missed" as const, why: "it missed 1 of 2 probes" } };
  const held = advance({ facts: missed });
  expect(held).toMatchObject({ advance: "hold", verdict: { outcome: "inconclusive" } });
  for (const life of ["gone", "silent"] as const) {
    const plan = planOfMove({ facts: { candidate_life: { life, why: "it does not answer" } } });
    expect(plan.summary).toMatch(/roll/i);
    expect(plan.preempts).toBe(true);
  }
});
