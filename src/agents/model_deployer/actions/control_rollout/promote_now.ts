import type { Answer } from "../../domain/answer.ts";
import type { Change } from "../../domain/changes.ts";
import type { Deployment } from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";
import type { Decision } from "../../domain/plan.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { isRolloutOpen, type Rollout } from "../../domain/traffic/rollout.ts";
import { allTo } from "../../domain/traffic/weights.ts";
import { judgedNow, momentOfRollout } from "../../judge/counts/live_figures.ts";
import { approvalNotes, approvalsNeeded } from "../../planning/approval/approvals_needed.ts";
import { policyEvidence } from "../../planning/approval/policy_evidence.ts";
import { propose, refuse, refuseForNow } from "../../planning/decisions.ts";
import { watchAfter } from "../../planning/planned_deployment.ts";
import { rolloutEvidence } from "../../planning/rollout_evidence.ts";
import { moved } from "../../planning/rollout_move.ts";
import { setStatus, switchRoute } from "../../planning/route_switch.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import {
  announceControl,
  answer,
  controlled,
  type ControlledRollout,
  controlOf,
  hasEnded,
  nothingToDo,
} from "./controlled.ts";
import type { RolloutControlFacts } from "./facts.ts";

/** Gives the candidate all traffic at once, with an approval; refused where it is bad or does not answer. */
export const decidePromoteNow = controlled(promoteNow);

function promoteNow(
  standing: ControlledRollout,
  facts: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout, candidate, endpoint } = standing;
  const hasAll = endpoint.weights[candidate.deployment_id] === 100;
  if (rollout.status === "completed" && hasAll) return nothingToDo(standing, "It has all traffic.");
  if (!isRolloutOpen(rollout)) return hasEnded(standing, "promoted", reason);
  const verdict = judgedNow(rollout, endpoint, facts.live)?.verdict ?? rollout.verdict;
  const judged = { ...rollout, verdict };
  const refused = refuseMoreTraffic(judged, candidate, facts, reason);
  if (refused !== null) return refused;
  const needed = approvalsNeeded(facts.policy, context, "promote_now");
  const left = rollout.steps.length - 1 - rollout.step_index;
  return propose({
    summary: `All traffic of ${rollout.endpoint_name} to ${candidate.bento_tag} now, past ${left} steps of ${rollout.rollout_id}.`,
    lease_name: rollout.endpoint_name,
    steps: switchRoute({
      endpoint_name: rollout.endpoint_name,
      before: endpoint,
      weights: allTo(candidate.deployment_id),
      mirror_deployment_id: endpoint.mirror_deployment_id,
      reason: `rollout ${rollout.rollout_id}, promoted at once: ${reason}`,
      moment: momentOfRollout(rollout, endpoint, facts.live),
    }),
    on_success: promotion(standing, facts, reason, context),
    draft: promotedAnswer(standing),
    approvals_needed: needed,
    generation: endpoint.generation,
    notes: promoteNowNotes(judged, facts.policy, needed),
    evidence: { rollout: rolloutEvidence(judged), gate_policy: policyEvidence(facts.policy) },
    names: namesOf({ deployments: [candidate, facts.previous], rollouts: [rollout] }),
  });
}

function refuseMoreTraffic(
  rollout: Rollout,
  { deployment_id: id }: Deployment,
  { candidate_is_ready }: RolloutControlFacts,
  reason: string,
): Decision | null {
  const next = [controlOf(rollout, "abort", reason, "takes all traffic back to the baseline at once")];
  if (!candidate_is_ready) {
    return refuseForNow(`The server of ${id} does not answer; it gets no more traffic.`, { next });
  }
  if (rollout.verdict?.outcome !== "fail") return null;
  return refuse(
    "conflict",
    `${id} is bad and gets no more traffic: ${rollout.verdict.reason} It is rolled back at the next look, or at once by an abort.`,
    { next },
  );
}

function promotion(
  standing: ControlledRollout,
  { endpoint, live, retention_seconds: keepWarmSeconds }: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Change[] {
  const { rollout } = standing;
  return [
    moved(rollout, {
      status: "completed",
      step_index: rollout.steps.length - 1,
      step_started_at: context.now,
      ...watchAfter(keepWarmSeconds, context),
      inconclusive_looks: 0,
      pause: null,
      event: { kind: "rollout_promoted", reason, ...momentOfRollout(rollout, endpoint, live) },
    }),
    setStatus(rollout.deployment_id, ["deploying"], "active"),
    setStatus(rollout.baseline_deployment_id, ["active"], "draining", { keepWarmSeconds }),
    announceControl(standing, `all traffic at once: ${reason}`, context),
  ];
}

function promoteNowNotes({ verdict, status }: Rollout, policy: GatePolicy, needed: number): string[] {
  const pauseFirst =
    "An approval holds for the traffic that it was given at; pause the rollout first, and no step undoes it.";
  return [
    `What the judge has seen: ${verdict === null ? "nothing was judged yet." : verdict.reason}`,
    ...approvalNotes(policy, "promote_now"),
    ...(needed === 0 || status === "paused" ? [] : [pauseFirst]),
  ];
}

function promotedAnswer({ rollout, candidate, endpoint }: ControlledRollout): Answer {
  const route = {
    ...endpoint,
    generation: endpoint.generation + 1,
    weights: allTo(candidate.deployment_id),
  };
  const last = { ...rollout, step_index: rollout.steps.length - 1, next_tick_at: null };
  return answer(
    { rollout: last, candidate: { ...candidate, status: "active" }, endpoint: route },
    "completed",
  );
}
