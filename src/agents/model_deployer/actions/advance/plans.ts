import { emptyAnswer } from "../../domain/answer.ts";
import type { Change, ChangeOf } from "../../domain/changes.ts";
import { planned, propose } from "../../planning/decisions.ts";
import type { ModelVersion } from "../../domain/entities.ts";
import { type Moment, momentOf, sidesOf } from "../../judge/counts/live_figures.ts";
import { type EpisodeParts, recordProcedure, remember } from "../../planning/announcements/outbox_entries.ts";
import type { Decision } from "../../domain/plan.ts";
import {
  LOOK_SECONDS,
  packageOf,
  secondsAfter,
  startAgainOf,
  WATCH_SECONDS,
  watchAfter,
} from "../../planning/planned_deployment.ts";
import type { Pause, RolloutStep } from "../../domain/traffic/rollout.ts";
import type { Look } from "./look.ts";
import { moved } from "../../planning/rollout_move.ts";
import { failedAgain } from "../../domain/servers/server_restarts.ts";
import { noRoute, setStatus, switchRoute } from "../../planning/route_switch.ts";
import { split } from "../../domain/traffic/weights.ts";

/** Records the look and changes nothing else. */
export function holdRollout(
  look: Look,
  to: Partial<ChangeOf<"move_rollout">> = {},
): ChangeOf<"move_rollout"> {
  const { facts, context, state, verdict, kept } = look;
  const { rollout } = facts;
  const pause = rollout.status === "completed" ? WATCH_SECONDS : LOOK_SECONDS;
  return moved(rollout, {
    next_tick_at: secondsAfter(context.now, pause),
    judge_state: state,
    verdict,
    look: kept,
    ...to,
  });
}

/** Gives the candidate the next step's traffic. A last step without a bake time completes the rollout at once. */
export function takeStep(look: Look, step: RolloutStep): Decision {
  const { facts, context, verdict } = look;
  const { rollout, endpoint } = facts;
  const { deployment_id: candidate, baseline_deployment_id: baseline, steps } = rollout;
  const stepIndex = rollout.step_index + 1;
  const isLast = stepIndex === steps.length - 1 && step.bake_seconds === 0;
  const before = endpoint ?? noRoute;
  const name = rollout.endpoint_name;
  const begun = {
    step_index: stepIndex,
    step_started_at: context.now,
    next_tick_at: secondsAfter(context.now, LOOK_SECONDS),
    inconclusive_looks: 0,
  };
  return propose({
    summary: `${name}: step ${stepIndex + 1} of ${steps.length}, ${step.weight} % to ${candidate}.`,
    lease_name: name,
    steps: switchRoute({
      endpoint_name: name,
      before,
      weights: split(baseline, candidate, step.weight),
      mirror_deployment_id: before.mirror_deployment_id,
      reason: `rollout ${rollout.rollout_id}, step ${stepIndex + 1}: ${verdict.reason}`,
      verdict,
      moment: momentOfLook(look),
    }),
    on_success: [
      ...(isLast ? completion(look, begun) : [holdRollout(look, begun)]),
      tell(look, {
        description: `${name}: ${step.weight} % to ${candidate}; ${verdict.reason}`,
        outcome_type: isLast ? "success" : "pending",
        raw_content: { rollout_id: rollout.rollout_id, step_index: stepIndex, weight: step.weight },
      }),
    ],
    draft: { ...emptyAnswer, active_deployment_id: candidate },
    generation: before.generation,
  });
}

/** Completes a rollout whose last step has baked; traffic stays as it is. */
export function completeRollout(look: Look): Decision {
  const { rollout, endpoint } = look.facts;
  const { rollout_id, deployment_id: candidate, endpoint_name: name } = rollout;
  return propose({
    summary: `${name}: ${rollout_id} is completed, ${candidate} serves alone.`,
    lease_name: name,
    on_success: [
      ...completion(look, { inconclusive_looks: 0 }),
      tell(look, {
        description: `${name}: the rollout of ${candidate} is completed; ${look.verdict.reason}`,
        outcome_type: "success",
        raw_content: { rollout_id, step_index: rollout.step_index },
      }),
    ],
    draft: { ...emptyAnswer, active_deployment_id: candidate },
    generation: endpoint?.generation ?? 0,
  });
}

/** The candidate is the one that serves; the baseline stays warm, and the candidate watched, for the retention period. */
function completion(look: Look, to: Partial<ChangeOf<"move_rollout">>): Change[] {
  const { facts, context } = look;
  const { deployment_id: candidate, baseline_deployment_id: baseline } = facts.rollout;
  const keepWarmSeconds = facts.retention_seconds;
  return [
    holdRollout(look, {
      ...to,
      status: "completed",
      ...watchAfter(keepWarmSeconds, context),
      event: { kind: "rollout_completed", reason: look.verdict.reason, ...momentOfLook(look) },
    }),
    setStatus(candidate, ["deploying"], "active"),
    setStatus(baseline, ["active"], "draining", { keepWarmSeconds }),
    ...recordExperience(look),
  ];
}

/** Records the outcome for the model family, by which its next rollout is planned. */
function recordExperience({ facts, context }: Look): Change[] {
  if (facts.current_version === null) return [];
  return [
    recordProcedure(context.operation_id, {
      name: "rollout",
      type: "tool_sequence",
      trigger: `rollout:${facts.current_version.model_name}`,
      sequence: facts.rollout.steps.map(({ weight }) => `weight_${weight}`),
      succeeded: true,
    }),
  ];
}

/** Pauses the rollout at its present traffic until a person decides; it is judged all the same. */
export function pauseRollout(
  look: Look,
  { by, reason }: Pick<Pause, "by" | "reason"> = { by: "the judge", reason: look.verdict.reason },
): Decision {
  const { rollout, endpoint } = look.facts;
  const { rollout_id, deployment_id: candidate, endpoint_name: name } = rollout;
  const pause = { by, reason, since: look.context.now };
  const event = { kind: "rollout_paused" as const, reason, ...momentOfLook(look) };
  return propose({
    summary: `${name}: pause ${rollout_id} at step ${rollout.step_index + 1}.`,
    lease_name: name,
    on_success: [
      holdRollout(look, { status: "paused", inconclusive_looks: 0, pause, event }),
      tell(look, {
        description: `${name}: the rollout of ${candidate} waits for a person; ${reason}`,
        outcome_type: "escalated",
        raw_content: { rollout_id, step_index: rollout.step_index },
      }),
    ],
    draft: { ...emptyAnswer, notes: [reason] },
    generation: endpoint?.generation ?? 0,
  });
}

/** Starts the baseline's server again under the route that names it already. */
export function serveBaselineAgain(look: Look, version: ModelVersion): Decision | null {
  const { rollout, endpoint, previous: baseline, previous_restarts: before } = look.facts;
  if (endpoint === null || baseline === null) return null;
  const { endpoint_name: name, generation } = endpoint;
  const { deployment_id, bento_tag } = baseline;
  return propose({
    summary: `${name}: start the server of the baseline ${deployment_id} again.`,
    lease_name: name,
    steps: [
      planned({ ...packageOf(version), bento_tag }),
      planned(startAgainOf(baseline)),
      planned({ step: "apply_route", endpoint_name: name, generation }),
    ],
    on_success: [
      holdRollout(look),
      tell(look, {
        description: `${name}: the server of the baseline ${deployment_id} had died and was started again`,
        outcome_type: "success",
        raw_content: { rollout_id: rollout.rollout_id, deployment_id },
      }),
    ],
    tries_once: true,
    on_failure: [
      holdRollout(look, { unless_ended: true }),
      failedAgain(deployment_id, before, {
        reason: `see operation ${look.context.operation_id}`,
        isOnRoute: true,
      }),
    ],
    draft: { ...emptyAnswer, active_deployment_id: deployment_id },
    generation,
  });
}

export const momentOfLook = ({ facts, verdict }: Look): Moment =>
  momentOf({ figures: facts.figures }, sidesOf(facts.rollout), verdict);

export function tell(
  { facts, context }: Look,
  parts: Pick<EpisodeParts, "description" | "outcome_type" | "raw_content">,
): ChangeOf<"enqueue"> {
  const { experiment_id, endpoint_name } = facts.rollout;
  return remember(context.operation_id, {
    event_subtype: "rollout_step",
    experiment_id,
    endpoint_name,
    occurred_at: context.now,
    ...parts,
  });
}
