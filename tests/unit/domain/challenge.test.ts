import { expect, test } from "vitest";
import { noneOfBoth } from "../../../src/agents/model_deployer/domain/evidence/judgement.ts";
import { changesOf, routeOf, statusesOf } from "../../support/decisions/decided.ts";
import {
  advance,
  atTheEnd,
  changeOfHold,
  type Count,
  lastIsWatched,
  planOfMove,
  replaced,
  watched,
} from "../../support/given/given_advance.ts";
import { anEndpoint, later, NOW } from "../../support/given/given_facts.ts";

const known = changeOfHold({ candidate: [0, 60], baseline: [5, 540], seconds: 1 }).judge_state;
const all = () => ({ rollout: { ...lastIsWatched, judge_state: known }, facts: atTheEnd });

test("at the last step a candidate that looks bad is compared again before anything goes back: the baseline gets a share", () => {
  const plan = planOfMove({ ...all(), candidate: [40, 160], baseline: [5, 540], seconds: 1 });
  expect(routeOf(plan)).toMatchObject({ weights: { d1: 50, d2: 50 } });
  expect(routeOf(plan).reason).toContain("d2 looks worse than d1 did before, and 50 % go back to it");
  const [kept] = changesOf(plan.on_success, "move_rollout");
  expect(kept).toMatchObject({ status: "running", step_index: 1, judge_state: { challenged_for: 0.3 } });
  expect(statusesOf(plan.on_success)).toEqual([]);
});

/** A candidate at all traffic that failed 40 of 100, beside its baseline again; then so many more on each side. */
function challenged(candidate: Count, baseline: Count, more: Parameters<typeof advance>[0] = {}) {
  const [begun] = changesOf(
    planOfMove({ ...all(), candidate: [40, 160], baseline: [5, 540], seconds: 1 }).on_success,
    "move_rollout",
  );
  const state = begun?.judge_state ?? expect.fail("no challenge was begun");
  const judge_state = { ...state, generation: 7, pending: noneOfBoth, last: null };
  const endpoint = anEndpoint({ weights: { d1: 50, d2: 50 } });
  const { rollout, facts, ...rest } = more;
  return {
    candidate: [40 + candidate[0], 160 + candidate[1]] as const,
    baseline: [5 + baseline[0], 540 + baseline[1]] as const,
    seconds: 2,
    ...rest,
    rollout: { ...lastIsWatched, judge_state, ...rollout },
    facts: { endpoint, ...facts },
  };
}

test("compared again, a candidate that is worse goes back, and one whose baseline fails as well is held", () => {
  const plan = planOfMove(challenged([80, 160], [0, 40]));
  expect(routeOf(plan).weights).toEqual({ d1: 100 });
  expect(changeOfHold(challenged([160, 160], [40, 40])).judge_state.challenged_for).toBe(0.3);
});

test("compared again, a candidate that is no worse has all traffic again", () => {
  const plan = planOfMove(challenged([2, 800], [1, 200]));
  expect(routeOf(plan)).toMatchObject({ weights: { d2: 100 } });
  expect(routeOf(plan).reason).toContain("the comparison with d1 is over: the candidate is no worse");
  expect(changesOf(plan.on_success, "move_rollout")).toMatchObject([
    { status: "running", judge_state: { challenged_for: null, suspicion: [] } },
  ]);
});

test("a baseline whose server ends in the comparison gives its share back", () => {
  const gone = {
    previous_server: "away" as const,
    previous_life: { life: "gone" as const, why: "it ended" },
  };
  const made = advance(challenged([0, 160], [0, 40], { facts: gone }));
  expect(made.advance === "move" && made.problem).toContain("the server of d1 is gone");
  expect(routeOf(planOfMove(challenged([0, 160], [0, 40], { facts: gone }))).weights).toEqual({ d2: 100 });
});

test("without a warm baseline nothing tells, so nothing moves, and the look says so", () => {
  const { rollout } = all();
  const facts = { ...atTheEnd, previous_server: "away" as const };
  const made = advance({ rollout, facts, candidate: [40, 160], baseline: [5, 540], seconds: 1 });
  expect(made.advance === "hold" && made.problem).toContain(
    "that cannot be checked, because d1 does not answer",
  );
});

test("a completed rollout that looks bad in the retention period is compared again, and goes back if it is", () => {
  const looking = { rollout: watched, facts: replaced, candidate: [40, 100], baseline: [5, 540] } as const;
  const begun = planOfMove({ ...looking, seconds: 5 });
  expect(routeOf(begun).weights).toEqual({ d1: 50, d2: 50 });
  const [kept] = changesOf(begun.on_success, "move_rollout");
  expect(kept).toMatchObject({ status: "completed", next_tick_at: later(6) });
  const judge_state = {
    ...(kept?.judge_state ?? expect.fail("no challenge was begun")),
    generation: 7,
    pending: noneOfBoth,
    last: null,
  };
  const facts = { ...replaced, endpoint: anEndpoint({ weights: { d1: 50, d2: 50 } }) };
  const compared = { rollout: { ...watched, judge_state }, facts };
  expect(changeOfHold({ ...compared, candidate: [40, 100], baseline: [5, 540], seconds: 6 })).toMatchObject({
    next_tick_at: later(7),
  });
  const over = planOfMove({ ...compared, candidate: [40, 100], baseline: [5, 540], seconds: 3595 });
  expect(routeOf(over).weights).toEqual({ d2: 100 });
  const plan = planOfMove({ ...compared, candidate: [120, 260], baseline: [5, 580], seconds: 6 });
  expect(routeOf(plan)).toMatchObject({ weights: { d1: 100 } });
  expect(routeOf(plan).reason).toContain(
    "automatic, in the retention period: the candidate fails more often",
  );
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
