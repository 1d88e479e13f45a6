import type { NextStep } from "../../../base/next_step.ts";
import type { Decision } from "../../domain/plan.ts";
import { isGoingBack, type Rollout } from "../../domain/traffic/rollout.ts";
import { refuse, refuseForNow } from "../decisions.ts";
import { ask } from "./next_steps.ts";

/**
 * Refuses what may not happen during an open rollout. A rollout that runs or goes back comes to its end by itself, so
 * that the request may be repeated; one that somebody has paused does not.
 */
export function refuseWhileRollingOut(open: Rollout, wanted: string, reason: string): Decision {
  const { rollout_id: id, deployment_id, endpoint_name, status, pause } = open;
  if (isGoingBack(open)) {
    const sentence = `Rollout ${id} of ${deployment_id} is being rolled back on ${endpoint_name}; wait for its end, then ${wanted}.`;
    return refuseForNow(sentence, { next: endingsOf(open, reason) });
  }
  const paused = pause === null ? "" : ` by ${pause.by}`;
  const sentence = `Rollout ${id} of ${deployment_id} is ${status}${paused} on ${endpoint_name}; wait for its end or roll ${deployment_id} back, then ${wanted}.`;
  const next = endingsOf(open, reason);
  if (status === "paused" && pause !== null) return refuse("conflict", sentence, { next });
  return refuseForNow(sentence, { next });
}

/** The requests by which somebody ends an open rollout; one that is being rolled back has that end alone. */
export function endingsOf(open: Rollout, reason: string): NextStep[] {
  const { rollout_id, deployment_id, endpoint_name, status, pause } = open;
  if (isGoingBack(open)) {
    const leave = { deployment_action: "rollback", current_deployment_id: deployment_id };
    const why = `brings the end of ${rollout_id} about without a worker`;
    return [ask({ ...leave, rollback_reason: reason }, why, "person")];
  }
  const by = { rollout_id, rollout_reason: reason };
  const isPaused = status === "paused" && pause !== null;
  return [
    ...(isPaused ? [ask({ deployment_action: "resume", ...by }, `lets ${rollout_id} go on to its end`)] : []),
    ask({ deployment_action: "promote_now", ...by }, `gives ${deployment_id} all traffic, with an approval`),
    ask(
      { deployment_action: "abort", ...by },
      `stops ${rollout_id}: all traffic of ${endpoint_name} to its baseline`,
      "person",
    ),
  ];
}
