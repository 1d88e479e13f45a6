import { newJudgeState } from "../../judge/observe.ts";
import type { ChangeOf } from "../../domain/changes.ts";
import type { Deployment } from "../../domain/entities.ts";
import { rolloutId } from "../../domain/values/names.ts";
import { LOOK_SECONDS, secondsAfter, WATCH_SECONDS, watchAfter } from "../../planning/planned_deployment.ts";
import type { PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";
import type { DeployFacts } from "./facts.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";

/**
 * The rollout of a deployment that replaces another one. A deployment at once has a rollout of one step that is done
 * already, and is watched while its predecessor is warm. Null where nothing is replaced.
 */
export function startRollout(
  deployment: Deployment,
  traffic: PlannedTraffic,
  facts: DeployFacts,
  context: DecisionContext,
): ChangeOf<"start_rollout"> | null {
  const plan = traffic.rollout ?? traffic.at_once;
  if (plan === null || traffic.baseline === null) return null;
  const begun = {
    rollout_id: rolloutId(context.operation_id),
    endpoint_name: deployment.endpoint_name,
    experiment_id: deployment.experiment_id,
    deployment_id: deployment.deployment_id,
    baseline_deployment_id: traffic.baseline,
    steps: plan.steps,
    asked_steps: traffic.asked_steps,
    step_index: 0,
    step_started_at: context.now,
    inconclusive_looks: 0,
    judge: plan.judge,
    judge_state: newJudgeState(facts.figures ?? [], traffic.baseline),
    verdict: null,
    pause: null,
  };
  if (traffic.rollout !== null) {
    const next_tick_at = secondsAfter(context.now, LOOK_SECONDS);
    const rollout: Rollout = { ...begun, status: "running", next_tick_at, watched_until: null };
    return { change: "start_rollout", rollout };
  }
  return {
    change: "start_rollout",
    rollout: { ...begun, status: "completed", ...watchAfter(facts.retention_seconds, context) },
    reason: `${deployment.deployment_id} took all traffic from ${traffic.baseline} at once`,
  };
}

/** A rollout is planned before its deployment's server is started, and begins when its first traffic is there. */
export function beginAt(rollout: Rollout, now: string): Rollout {
  const begun = { ...rollout, step_started_at: now };
  if (rollout.status !== "completed") return { ...begun, next_tick_at: secondsAfter(now, LOOK_SECONDS) };
  if (rollout.watched_until === null) return begun;
  const seconds = (Date.parse(rollout.watched_until) - Date.parse(rollout.step_started_at)) / 1000;
  return {
    ...begun,
    next_tick_at: secondsAfter(now, WATCH_SECONDS),
    watched_until: secondsAfter(now, seconds),
  };
}
