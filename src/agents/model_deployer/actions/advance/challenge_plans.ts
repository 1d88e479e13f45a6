import { emptyAnswer } from "../../domain/answer.ts";
import type { WeightSet } from "../../domain/entities.ts";
import type { JudgeState } from "../../domain/evidence/judgement.ts";
import type { Decision } from "../../domain/plan.ts";
import { allTo, split } from "../../domain/traffic/weights.ts";
import { CHALLENGED_WEIGHT } from "../../judge/challenge/challenge.ts";
import { propose } from "../../planning/decisions.ts";
import { LOOK_SECONDS, secondsAfter } from "../../planning/planned_deployment.ts";
import { noRoute, switchRoute } from "../../planning/route_switch.ts";
import type { Look } from "./look.ts";
import { holdRollout, momentOfLook, tell } from "./plans.ts";

/** Gives the warm baseline a share again, so that both can be compared. */
export function challenge(look: Look, begun: JudgeState): Decision {
  const { rollout } = look.facts;
  const { deployment_id: candidate, baseline_deployment_id: baseline } = rollout;
  const share = 100 - CHALLENGED_WEIGHT;
  return shiftWeights(look, begun, {
    weights: split(baseline, candidate, CHALLENGED_WEIGHT),
    summary: `${share} % back to ${baseline} for a comparison`,
    why: `${candidate} looks worse than ${baseline} did before, and ${share} % go back to it so that both are compared`,
  });
}

/** Gives the candidate all traffic again after a challenge that it has passed. */
export function endOfChallenge(look: Look, ended: JudgeState, why: string): Decision {
  const { deployment_id: candidate } = look.facts.rollout;
  return shiftWeights(look, ended, {
    weights: allTo(candidate),
    summary: `all traffic to ${candidate} again`,
    why: `the comparison with ${look.facts.rollout.baseline_deployment_id} is over: ${why}`,
  });
}

/** Moves traffic between both sides without taking a step. */
function shiftWeights(
  look: Look,
  judge_state: JudgeState,
  to: { weights: WeightSet; summary: string; why: string },
): Decision {
  const { facts, context, verdict } = look;
  const { rollout, endpoint } = facts;
  const before = endpoint ?? noRoute;
  const name = rollout.endpoint_name;
  return propose({
    summary: `${name}: ${to.summary}.`,
    lease_name: name,
    steps: switchRoute({
      endpoint_name: name,
      before,
      weights: to.weights,
      mirror_deployment_id: before.mirror_deployment_id,
      reason: `rollout ${rollout.rollout_id}: ${to.why}; ${verdict.reason}`,
      verdict,
      moment: momentOfLook(look),
    }),
    on_success: [
      holdRollout(look, { judge_state, next_tick_at: secondsAfter(context.now, LOOK_SECONDS) }),
      tell(look, {
        description: `${name}: ${to.why}; ${verdict.reason}`,
        outcome_type: "pending",
        raw_content: { rollout_id: rollout.rollout_id, step_index: rollout.step_index },
      }),
    ],
    draft: { ...emptyAnswer, active_deployment_id: rollout.deployment_id },
    generation: before.generation,
  });
}
