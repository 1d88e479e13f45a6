import type { Judged } from "./canary_judge.ts";
import type { Change, ChangeOf } from "./changes.ts";
import type { Moment } from "./live_figures.ts";
import type { Rollout } from "./rollout.ts";
import { moved } from "./rollout_move.ts";

/** What becomes of the rollout: found bad, or stopped by a person. */
export type Ending = "rolled_back" | "aborted";

/** The status that an open rollout has while it is rolled back; a completed one stays so. */
const stillStatus = (rollout: Rollout): Rollout["status"] =>
  rollout.status === "completed" ? "completed" : "paused";

/** A rollout takes no step and gets no look while it is rolled back. */
export function holdStill(rollout: Rollout | null, judged: Judged | null): Change[] {
  if (rollout === null) return [];
  const expected: Rollout["status"][] =
    rollout.status === "completed" ? ["completed"] : ["running", "paused"];
  return [moveRolloutTo(rollout, judged, { expected_status: expected, status: stillStatus(rollout) })];
}

export function endRollout(
  rollout: Rollout | null,
  judged: Judged | null,
  ending: Ending,
  why: { reason: string } & Moment,
): Change[] {
  if (rollout === null) return [];
  const event = { kind: `rollout_${ending}` as const, ...why };
  const expected_status = [stillStatus(rollout)];
  return [moveRolloutTo(rollout, judged, { expected_status, status: ending, pause: null, event })];
}

/**
 * After a rollback that failed, unless another one has ended the rollout by then: what somebody had paused stays so, and
 * is watched again. One that is paused by nobody was held still by an earlier rollback that came to no end, and had been
 * running.
 */
export function goOn(rollout: Rollout | null, judged: Judged | null, now: string): Change[] {
  if (rollout === null) return [];
  const wasHeldStill = rollout.status === "paused" && rollout.pause === null;
  const status = wasHeldStill ? "running" : rollout.status;
  const next_tick_at = rollout.next_tick_at ?? now;
  const expected_status = [stillStatus(rollout)];
  return [moveRolloutTo(rollout, judged, { expected_status, unless_ended: true, status, next_tick_at })];
}

function moveRolloutTo(
  rollout: Rollout,
  judged: Judged | null,
  to: Pick<ChangeOf<"move_rollout">, "expected_status" | "status"> & Partial<ChangeOf<"move_rollout">>,
): ChangeOf<"move_rollout"> {
  return moved(rollout, {
    next_tick_at: null,
    judge_state: judged?.state ?? rollout.judge_state,
    verdict: judged?.verdict ?? rollout.verdict,
    ...to,
  });
}
