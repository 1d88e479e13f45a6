import { approvalNotes, approvalsNeeded } from "./approvals_needed.ts";
import { propose, refuse, refuseForNow } from "./decisions.ts";
import { rolloutEvidence } from "./rollout_evidence.ts";
import { planRollback } from "./decide_rollback.ts";
import type { Answer } from "./answer.ts";
import type { Change } from "./changes.ts";
import type { GatePolicy } from "./entities.ts";
import { judgedNow, missingNotes, momentOfRollout } from "./live_figures.ts";
import type { Decision } from "./plan.ts";
import { namesOf } from "./plan_names.ts";
import { LOOK_SECONDS, secondsAfter, watchAfter } from "./planned_deployment.ts";
import type { DecisionContext } from "./requests.ts";
import { isRolloutOpen, type Rollout } from "./rollout.ts";
import {
  answer,
  controlled,
  hasEnded,
  leaseOf,
  nothingToDo,
  type RolloutControlFacts,
  type Standing,
  told,
} from "./rollout_control.ts";
import { moved } from "./rollout_move.ts";
import { setStatus, switchRoute } from "./route_switch.ts";
import { allTo } from "./weights.ts";

export const decidePause = controlled(pause);
export const decideResume = controlled(resume);
export const decideAbort = controlled(abort);
export const decidePromoteNow = controlled(promoteNow);

function pause(
  standing: Standing,
  { live }: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout } = standing;
  if (rollout.status === "paused") {
    const { pause } = rollout;
    const who = pause === null ? "" : ` since ${pause.since} by ${pause.by}: ${pause.reason}`;
    return nothingToDo(standing, `It is paused${who}.`);
  }
  if (rollout.status !== "running") return hasEnded(rollout, "paused");
  const share = `${standing.endpoint.weights[rollout.deployment_id] ?? 0} %`;
  const paused = { by: context.requested_by, reason, since: context.now };
  const change = moved(rollout, {
    status: "paused",
    pause: paused,
    event: { kind: "rollout_paused", reason, ...momentOfRollout(rollout, live) },
  });
  return propose({
    summary: `Pause ${rollout.rollout_id} of ${rollout.endpoint_name} at ${share} for ${rollout.deployment_id}.`,
    lease_name: leaseOf(rollout),
    preempts: true,
    intent: [change],
    on_success: [told(standing, `paused at ${share}: ${reason}`, context)],
    draft: answer(standing, "paused"),
    generation: standing.endpoint.generation,
    notes: ["The judge goes on watching, and rolls back what turns bad.", ...missingNotes(live)],
    names: namesOf({ deployments: [standing.candidate], rollouts: [rollout] }),
  });
}

/** The time that it was paused for does not count as time that its step was watched. */
function resume(
  standing: Standing,
  { live }: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout } = standing;
  if (rollout.status === "running") return nothingToDo(standing, "It is running.");
  if (rollout.status !== "paused") return hasEnded(rollout, "resumed");
  const since = rollout.pause?.since ?? context.now;
  const pausedSeconds = (Date.parse(context.now) - Date.parse(since)) / 1000;
  const change = moved(rollout, {
    status: "running",
    pause: null,
    step_started_at: secondsAfter(rollout.step_started_at, Math.max(0, pausedSeconds)),
    next_tick_at: secondsAfter(context.now, LOOK_SECONDS),
    inconclusive_looks: 0,
    event: { kind: "rollout_resumed", reason, ...momentOfRollout(rollout, live) },
  });
  return propose({
    summary: `Resume ${rollout.rollout_id} of ${rollout.endpoint_name} at step ${rollout.step_index + 1} of ${rollout.steps.length}.`,
    lease_name: leaseOf(rollout),
    preempts: true,
    intent: [change],
    on_success: [told(standing, `resumed: ${reason}`, context)],
    draft: answer(standing, "running"),
    generation: standing.endpoint.generation,
    names: namesOf({ deployments: [standing.candidate], rollouts: [rollout] }),
  });
}

function abort(
  standing: Standing,
  facts: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout, candidate: current, endpoint } = standing;
  if (rollout.status === "aborted") return nothingToDo(standing, "It was aborted.");
  if (!isRolloutOpen(rollout)) return hasEnded(rollout, "aborted");
  const { previous, previous_version: previousVersion, current_version: currentVersion } = facts;
  if (previous === null || previousVersion === null || currentVersion === null) {
    return refuse(
      "rollback_failed",
      `${rollout.rollout_id} has lost its baseline: nothing else served before.`,
    );
  }
  const { previous_is_ready: warm, live } = facts;
  const turn = { current, currentVersion, endpoint, previous, previousVersion, rollout, warm, live };
  return planRollback(turn, reason, context, judgedNow(rollout, live), "aborted");
}

function promoteNow(
  standing: Standing,
  facts: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
): Decision {
  const { rollout, candidate, endpoint } = standing;
  if (rollout.status === "completed") return nothingToDo(standing, "It has all traffic.");
  if (!isRolloutOpen(rollout)) return hasEnded(rollout, "promoted");
  if (!facts.candidate_is_ready) {
    return refuseForNow(`The server of ${candidate.deployment_id} does not answer; it gets no more traffic.`);
  }
  const verdict = judgedNow(rollout, facts.live)?.verdict ?? rollout.verdict;
  if (verdict?.outcome === "fail") {
    return refuse(
      "conflict",
      `${candidate.deployment_id} is bad and gets no more traffic: ${verdict.reason} It is rolled back at the next look, or at once by an abort.`,
    );
  }
  const judged = { ...rollout, verdict };
  const needed = approvalsNeeded(facts.policy, "promote_now");
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
      moment: momentOfRollout(rollout, facts.live),
    }),
    on_success: promotion(standing, facts, reason, context),
    draft: promotedAnswer(standing),
    approvals_needed: needed,
    generation: endpoint.generation,
    notes: promoteNowNotes(judged, facts.policy, needed),
    evidence: { rollout: rolloutEvidence(judged), gate_policy: facts.policy },
    names: namesOf({ deployments: [candidate, facts.previous], rollouts: [rollout] }),
  });
}

function promotion(
  standing: Standing,
  { live, retention_seconds: keepWarmSeconds }: RolloutControlFacts,
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
      event: { kind: "rollout_promoted", reason, ...momentOfRollout(rollout, live) },
    }),
    setStatus(rollout.deployment_id, ["deploying"], "active"),
    setStatus(rollout.baseline_deployment_id, ["active"], "draining", { keepWarmSeconds }),
    told(standing, `all traffic at once: ${reason}`, context),
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

function promotedAnswer({ rollout, candidate, endpoint }: Standing): Answer {
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
