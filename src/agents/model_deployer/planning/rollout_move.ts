import type { ChangeOf } from "../domain/changes.ts";
import type { Rollout } from "../domain/traffic/rollout.ts";

/**
 * A change of a rollout that keeps all fields which `to` does not name, and conflicts when the rollout has moved since.
 */
export function moved(rollout: Rollout, to: Partial<ChangeOf<"move_rollout">>): ChangeOf<"move_rollout"> {
  return {
    change: "move_rollout",
    rollout_id: rollout.rollout_id,
    expected_step_index: rollout.step_index,
    expected_status: [rollout.status],
    status: rollout.status,
    step_index: rollout.step_index,
    step_started_at: null,
    next_tick_at: rollout.next_tick_at,
    inconclusive_looks: rollout.inconclusive_looks,
    judge_state: rollout.judge_state,
    verdict: rollout.verdict,
    ...to,
  };
}
