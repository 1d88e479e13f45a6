import type { Judged, Moment } from "../../judge/counts/live_figures.ts";
import type { Change, ChangeOf } from "../../domain/changes.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import { moved } from "../../planning/rollout_move.ts";

/** How long the bad version's server stays, so that somebody can look at it. */
export const KEEP_BAD_SECONDS = 300;

/** How a rollout ends that goes back: found bad, or stopped by a person. */
export type Ending = "rolled_back" | "aborted";

/** The status that an open rollout has while it is rolled back; a completed one stays so. */
const suspendedStatus = (rollout: Rollout): Rollout["status"] =>
  rollout.status === "completed" ? "completed" : "paused";

/** Keeps the rollout from steps and looks while it is rolled back. */
export function suspendRollout(rollout: Rollout | null, judged: Judged | null): Change[] {
  if (rollout === null) return [];
  const to = { expected_status: goingStatuses(rollout), status: suspendedStatus(rollout) };
  return [moveRolloutTo(rollout, judged, to)];
}

/** Another rollback may have failed meanwhile, and let the rollout run again. */
const goingStatuses = (rollout: Rollout): Rollout["status"][] =>
  rollout.status === "completed" ? ["completed"] : ["running", "paused"];

export function endRollout(
  rollout: Rollout | null,
  judged: Judged | null,
  ending: Ending,
  why: { reason: string } & Moment,
): Change[] {
  if (rollout === null) return [];
  const event = { kind: `rollout_${ending}` as const, ...why };
  return [
    moveRolloutTo(rollout, judged, {
      expected_status: goingStatuses(rollout),
      status: ending,
      pause: null,
      event,
    }),
  ];
}

/**
 * Lets a rollout continue after its rollback failed, unless another rollback has ended it meanwhile. One that a person
 * had paused stays paused and is watched again; one that nobody had paused was held by an interrupted rollback, and
 * runs again.
 */
export function resumeAfterFailedRollback(
  rollout: Rollout | null,
  judged: Judged | null,
  now: string,
): Change[] {
  if (rollout === null) return [];
  const wasHeldStill = rollout.status === "paused" && rollout.pause === null;
  const status = wasHeldStill ? "running" : rollout.status;
  const next_tick_at = rollout.next_tick_at ?? now;
  const to = { expected_status: goingStatuses(rollout), status, next_tick_at };
  return [moveRolloutTo(rollout, judged, { ...to, unless_ended: true })];
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
    ...(judged?.kept === undefined || to.event === undefined ? {} : { look: judged.kept }),
    ...to,
  });
}
