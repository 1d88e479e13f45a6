import { expect, test } from "vitest";
import { changesOf, routeOf, statusesOf } from "../../../support/decisions/decided.ts";
import {
  advance,
  atTheEnd,
  changeOfHold,
  type Count,
  lastIsWatched,
  planOfMove,
  replaced,
  watched,
} from "../../../support/given/given_advance.ts";
import { aDeployment, anEndpoint, aRollout, later } from "../../../support/given/given_facts.ts";

const bad: Count = [30, 60];

test("each step gathers its own samples before it may pass", () => {
  const moved = changesOf(planOfMove().on_success, "move_rollout")[0];
  const steps = [10, 20, 50, 100].map((weight) => ({ weight, bake_seconds: 60 }));
  const second = { steps, step_index: 1, ...(moved && { judge_state: moved.judge_state }) };
  const held = changeOfHold({ rollout: second, candidate: [0, 109], baseline: [0, 600] });
  expect(held.verdict?.reason).toContain("49 of at least 50 samples at this step");
  expect(changeOfHold({ rollout: second, candidate: [0, 110], seconds: 1 }).verdict?.outcome).toBe("pass");
});

test("the last step is watched for its bake time before the rollout is completed", () => {
  const enough = { candidate: [0, 600], baseline: [3, 5400] } as const;
  const stepping = planOfMove({ rollout: { ...lastIsWatched, step_index: 0 }, ...enough });
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

test("in the retention period a candidate whose process is gone goes back at once, to a server that answers", () => {
  const candidate_life = { life: "gone" as const, why: "its process has ended" };
  const plan = planOfMove({ rollout: watched, facts: { ...replaced, candidate_life } });
  expect(routeOf(plan).weights).toEqual({ d1: 100 });
  const facts = { ...replaced, candidate_life, previous_server: "away" as const };
  const made = advance({ rollout: watched, facts });
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
  previous_server: "away" as const,
  previous_life: { life: "gone" as const, why: "its process has ended" },
};

test("a baseline whose server has died is started again; what its callers got counts for nothing, and nothing is promoted", () => {
  const made = advance({ facts: baselineIsGone, baseline: [500, 540] });
  expect(made.advance === "move" && made.problem).toContain("the baseline d1 does not answer");
  const plan = planOfMove({ facts: baselineIsGone, baseline: [500, 540] });
  expect(plan.steps.map((step) => step.do.step)).toEqual(["package_model", "start_server", "apply_route"]);
  const [kept] = changesOf(plan.on_success, "move_rollout");
  expect(kept).toMatchObject({ step_index: 0, judge_state: { baseline: { errors: 0, requests: 0 } } });
  expect(kept?.judge_state.last_figures).toHaveLength(2);
  expect(changesOf(plan.on_failure, "note_restart")).toMatchObject([{ deployment_id: "d1", failures: 1 }]);
});

test("a candidate that fails beside a dead baseline waits for the baseline's server, then goes", () => {
  const plan = planOfMove({ facts: baselineIsGone, candidate: bad });
  expect(plan.steps.map((step) => step.do.step)).toContain("start_server");
});

test.each(["missed", "silent"] as const)(
  "a baseline that has a process is not started again, though it %s",
  (life) => {
    const facts = {
      previous_server: "unresponsive" as const,
      previous_life: { life, why: "it does not answer" },
    };
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
