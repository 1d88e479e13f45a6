import type { ChangeOf } from "../../domain/changes.ts";
import type { Decision } from "../../domain/plan.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { split } from "../../domain/traffic/weights.ts";
import { type Moment, momentOfRollout } from "../../judge/counts/live_figures.ts";
import { beginStep } from "../../judge/observe.ts";
import { propose } from "../../planning/decisions.ts";
import { LOOK_SECONDS, secondsAfter } from "../../planning/planned_deployment.ts";
import { moved } from "../../planning/rollout_move.ts";
import { switchRoute } from "../../planning/route_switch.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { announceControl, answer, type ControlledRollout } from "./controlled.ts";
import type { RolloutControlFacts } from "./facts.ts";

/** Resumes a rollout whose candidate has no traffic: its step gets its share again, and begins anew. */
export function giveShareAgain(
  standing: ControlledRollout,
  live: RolloutControlFacts["live"],
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout, endpoint, candidate } = standing;
  const { rollout_id, endpoint_name, deployment_id: id } = rollout;
  const weight = rollout.steps[rollout.step_index]?.weight ?? 100;
  const weights = split(rollout.baseline_deployment_id, id, weight);
  const moment = momentOfRollout(rollout, endpoint, live);
  const route = { ...endpoint, generation: endpoint.generation + 1, weights };
  return propose({
    summary: `Resume ${rollout_id} of ${endpoint_name}: ${weight} % to ${id} again, whose step begins anew.`,
    lease_name: endpoint_name,
    preempts: true,
    steps: switchRoute({
      endpoint_name,
      before: endpoint,
      weights,
      mirror_deployment_id: endpoint.mirror_deployment_id,
      reason: `rollout ${rollout_id}, resumed: ${reason}`,
      moment,
    }),
    on_success: [
      stepAnew(standing, { reason, moment }, context),
      announceControl(standing, `resumed with ${weight} % again: ${reason}`, context),
    ],
    draft: answer({ ...standing, endpoint: route }, "running"),
    generation: endpoint.generation,
    names: namesOf({ deployments: [candidate], rollouts: [rollout] }),
  });
}

function stepAnew(
  { rollout }: ControlledRollout,
  { reason, moment }: { reason: string; moment: Moment },
  { now }: DecisionContext,
): ChangeOf<"move_rollout"> {
  return moved(rollout, {
    status: "running",
    pause: null,
    step_started_at: now,
    next_tick_at: secondsAfter(now, LOOK_SECONDS),
    inconclusive_looks: 0,
    judge_state: beginStep(rollout.judge_state),
    event: { kind: "rollout_resumed", reason, ...moment },
  });
}
