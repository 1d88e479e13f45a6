import { emptyAnswer } from "./answer.ts";
import { judge, observe } from "./canary_judge.ts";
import type { Change, ChangeOf } from "./changes.ts";
import { propose } from "./decisions.ts";
import { planRollback, type RollbackFacts } from "./decide_rollback.ts";
import { remember } from "./outbox_entries.ts";
import type { Decision } from "./plan.ts";
import { LOOK_SECONDS, secondsAfter } from "./planned_deployment.ts";
import type { DecisionContext } from "./requests.ts";
import type { JudgeState, Rollout, Verdict, VersionFigures } from "./rollout.ts";
import { setStatus, switchRoute } from "./route_switch.ts";
import { split } from "./weights.ts";

export interface AdvanceFacts extends RollbackFacts {
  rollout: Rollout;
  figures: VersionFigures[];
  /** The candidate's server answers now, with the expected tag. */
  candidate_is_ready: boolean;
  retention_seconds: number;
}

export type Advance =
  | { advance: "nothing"; why: string }
  | { advance: "hold"; change: ChangeOf<"move_rollout">; verdict: Verdict }
  | { advance: "move"; decision: Decision; verdict: Verdict };

/** What the next look at a rollout leads to: hold the step, take the next one, complete, or roll back. */
export function decideAdvance(facts: AdvanceFacts, context: DecisionContext): Advance {
  const { rollout } = facts;
  if (rollout.status !== "running")
    return { advance: "nothing", why: `${rollout.rollout_id} is ${rollout.status}` };
  const sides = { candidate_id: rollout.deployment_id, baseline_id: rollout.baseline_deployment_id };
  const state = observe(rollout.judge_state, facts.figures, sides);
  const judged = judge(state, rollout.judge);
  const verdict = facts.candidate_is_ready ? judged : deadCandidate(judged);
  const looks = verdict.outcome === "inconclusive" ? rollout.inconclusive_looks + 1 : 0;
  const gaveUp = looks >= rollout.judge.maximum_inconclusive_looks;
  if (verdict.outcome === "fail" || gaveUp) return rollBack(facts, state, verdict, context);
  const step = rollout.steps[rollout.step_index];
  const bakedAt = secondsAfter(rollout.step_started_at, step?.bake_seconds ?? 0);
  const baked = Date.parse(context.now) >= Date.parse(bakedAt);
  const next = rollout.steps[rollout.step_index + 1];
  if (verdict.outcome === "inconclusive" || !baked || next === undefined) {
    const change = moveRollout(rollout, state, verdict, {
      inconclusive_looks: looks,
      next_tick_at: secondsAfter(context.now, LOOK_SECONDS),
    });
    return { advance: "hold", change, verdict };
  }
  return { advance: "move", decision: takeStep(facts, next.weight, state, verdict, context), verdict };
}

function deadCandidate(verdict: Verdict): Verdict {
  return { ...verdict, outcome: "fail", reason: `the candidate's server does not answer: ${verdict.reason}` };
}

function rollBack(
  facts: AdvanceFacts,
  state: JudgeState,
  verdict: Verdict,
  context: DecisionContext,
): Advance {
  const {
    current,
    endpoint,
    previous,
    previous_version: previousVersion,
    current_version: currentVersion,
  } = facts;
  if (
    current === null ||
    endpoint === null ||
    previous === null ||
    previousVersion === null ||
    currentVersion === null
  ) {
    return {
      advance: "nothing",
      why: `${facts.rollout.rollout_id} has lost its endpoint or one of its deployments`,
    };
  }
  const turn = {
    current,
    currentVersion,
    endpoint,
    previous,
    previousVersion,
    rollout: facts.rollout,
    warm: facts.previous_is_ready,
  };
  return {
    advance: "move",
    decision: planRollback(turn, verdict.reason, context, { state, verdict }),
    verdict,
  };
}

function takeStep(
  facts: AdvanceFacts,
  weight: number,
  state: JudgeState,
  verdict: Verdict,
  context: DecisionContext,
): Decision {
  const { rollout, endpoint } = facts;
  const { deployment_id: candidate, baseline_deployment_id: baseline } = rollout;
  const stepIndex = rollout.step_index + 1;
  const last = stepIndex === rollout.steps.length - 1;
  const before = endpoint ?? { generation: 0, weights: {}, mirror_deployment_id: null };
  const completed: Change[] = [
    setStatus(candidate, ["deploying"], "active"),
    setStatus(baseline, ["active"], "draining", { keepWarmSeconds: facts.retention_seconds }),
  ];
  return propose({
    summary: `${rollout.endpoint_name}: step ${stepIndex + 1} of ${rollout.steps.length}, ${weight} % to ${candidate}.`,
    lease_name: rollout.endpoint_name,
    steps: switchRoute({
      endpoint_name: rollout.endpoint_name,
      before,
      weights: split(baseline, candidate, weight),
      mirror_deployment_id: before.mirror_deployment_id,
      reason: `rollout ${rollout.rollout_id}, step ${stepIndex + 1}: ${verdict.reason}`,
    }),
    on_success: [
      moveRollout(rollout, state, verdict, {
        status: last ? "completed" : "running",
        step_index: stepIndex,
        step_started_at: context.now,
        next_tick_at: last ? null : secondsAfter(context.now, LOOK_SECONDS),
        inconclusive_looks: 0,
        ...(last ? { event: { kind: "rollout_completed", reason: verdict.reason } } : {}),
      }),
      ...(last ? completed : []),
      remember(context.operation_id, {
        event_subtype: "rollout_step",
        description: `${rollout.endpoint_name}: ${weight} % to ${candidate}; ${verdict.reason}`,
        experiment_id: rollout.experiment_id,
        endpoint_name: rollout.endpoint_name,
        outcome_type: last ? "success" : "pending",
        raw_content: { rollout_id: rollout.rollout_id, step_index: stepIndex, weight },
        occurred_at: context.now,
      }),
    ],
    draft: { ...emptyAnswer, active_deployment_id: candidate },
    generation: before.generation,
  });
}

function moveRollout(
  rollout: Rollout,
  state: JudgeState,
  verdict: Verdict,
  to: Partial<ChangeOf<"move_rollout">>,
): ChangeOf<"move_rollout"> {
  return {
    change: "move_rollout",
    rollout_id: rollout.rollout_id,
    expected_step_index: rollout.step_index,
    expected_status: ["running"],
    status: "running",
    step_index: rollout.step_index,
    step_started_at: null,
    next_tick_at: rollout.next_tick_at,
    inconclusive_looks: rollout.inconclusive_looks,
    judge_state: state,
    verdict,
    ...to,
  };
}
