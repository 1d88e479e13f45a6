import { approvalNotes, approvalsNeeded } from "../../planning/approval/approvals_needed.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";
import { propose, refuse, refuseForNow } from "../../planning/decisions.ts";
import { rolloutEvidence } from "../../planning/rollout_evidence.ts";
import { planRollback } from "../rollback/decide.ts";
import type { Answer } from "../../domain/answer.ts";
import type { Change } from "../../domain/changes.ts";
import type { Deployment, GatePolicy } from "../../domain/entities.ts";
import { judgedNow, missingNotes, momentOfRollout } from "../../judge/counts/live_figures.ts";
import type { Decision } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { policyEvidence } from "../../planning/approval/policy_evidence.ts";
import { LOOK_SECONDS, secondsAfter, watchAfter } from "../../planning/planned_deployment.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { isRolloutOpen, type Rollout } from "../../domain/traffic/rollout.ts";
import {
  answer,
  controlled,
  hasEnded,
  leaseOf,
  nothingToDo,
  type ControlledRollout,
  announceControl,
} from "./controlled.ts";
import { type RolloutControlFacts } from "./facts.ts";
import { moved } from "../../planning/rollout_move.ts";
import { setStatus, switchRoute } from "../../planning/route_switch.ts";
import { allTo } from "../../domain/traffic/weights.ts";

export const decidePause = controlled(pause);
export const decideResume = controlled(resume);
export const decideAbort = controlled(abort);
export const decidePromoteNow = controlled(promoteNow);

function pause(
  standing: ControlledRollout,
  { endpoint, live }: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout } = standing;
  if (rollout.status === "paused") {
    const { pause } = rollout;
    const who = pause === null ? "" : ` since ${pause.since} by ${pause.by}: ${pause.reason}`;
    return nothingToDo(standing, `It is paused${who}.`);
  }
  if (rollout.status !== "running") return hasEnded(standing, "paused", reason);
  const share = `${standing.endpoint.weights[rollout.deployment_id] ?? 0} %`;
  const paused = { by: context.requested_by, reason, since: context.now };
  const change = moved(rollout, {
    status: "paused",
    pause: paused,
    event: { kind: "rollout_paused", reason, ...momentOfRollout(rollout, endpoint, live) },
  });
  return propose({
    summary: `Pause ${rollout.rollout_id} of ${rollout.endpoint_name} at ${share} for ${rollout.deployment_id}.`,
    lease_name: leaseOf(rollout),
    preempts: true,
    intent: [change],
    on_success: [announceControl(standing, `paused at ${share}: ${reason}`, context)],
    draft: answer(standing, "paused"),
    generation: standing.endpoint.generation,
    notes: ["The judge goes on watching, and rolls back what turns bad.", ...missingNotes(live)],
    names: namesOf({ deployments: [standing.candidate], rollouts: [rollout] }),
  });
}

/** Time spent paused does not count towards the step's bake time. */
function resume(
  standing: ControlledRollout,
  { endpoint, live }: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout } = standing;
  if (rollout.status === "running") return nothingToDo(standing, "It is running.");
  if (rollout.status !== "paused") return hasEnded(standing, "resumed", reason);
  const since = rollout.pause?.since ?? context.now;
  const pausedSeconds = (Date.parse(context.now) - Date.parse(since)) / 1000;
  const change = moved(rollout, {
    status: "running",
    pause: null,
    step_started_at: secondsAfter(rollout.step_started_at, Math.max(0, pausedSeconds)),
    next_tick_at: secondsAfter(context.now, LOOK_SECONDS),
    inconclusive_looks: 0,
    event: { kind: "rollout_resumed", reason, ...momentOfRollout(rollout, endpoint, live) },
  });
  return propose({
    summary: `Resume ${rollout.rollout_id} of ${rollout.endpoint_name} at step ${rollout.step_index + 1} of ${rollout.steps.length}.`,
    lease_name: leaseOf(rollout),
    preempts: true,
    intent: [change],
    on_success: [announceControl(standing, `resumed: ${reason}`, context)],
    draft: answer(standing, "running"),
    generation: standing.endpoint.generation,
    names: namesOf({ deployments: [standing.candidate], rollouts: [rollout] }),
  });
}

function abort(
  standing: ControlledRollout,
  facts: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout, candidate: current, endpoint } = standing;
  if (rollout.status === "aborted") return nothingToDo(standing, "It was aborted.");
  if (!isRolloutOpen(rollout)) return hasEnded(standing, "aborted", reason);
  const { previous, previous_version: previousVersion, current_version: currentVersion } = facts;
  if (previous === null || previousVersion === null || currentVersion === null) {
    return refuse(
      "rollback_failed",
      `${rollout.rollout_id} has lost its baseline: nothing else served before.`,
      {
        next: [
          controlOf(rollout, "promote_now", reason, "gives the candidate all traffic, with an approval"),
        ],
      },
    );
  }
  const { previous_server: server, live } = facts;
  const reversal = { current, currentVersion, endpoint, previous, previousVersion, rollout, server, live };
  return planRollback(reversal, reason, context, judgedNow(rollout, endpoint, live), "aborted");
}

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

function controlOf(
  { rollout_id }: Rollout,
  action: "abort" | "promote_now",
  rollout_reason: string,
  why: string,
) {
  return ask({ deployment_action: action, rollout_id, rollout_reason }, why);
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
