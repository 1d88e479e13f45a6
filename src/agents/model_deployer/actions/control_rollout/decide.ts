import { propose, refuse } from "../../planning/decisions.ts";
import { planRollback } from "../rollback/decide.ts";
import { judgedNow, missingNotes, momentOfRollout } from "../../judge/counts/live_figures.ts";
import type { Decision } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { LOOK_SECONDS, secondsAfter } from "../../planning/planned_deployment.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { hasLostShare, isRolloutOpen } from "../../domain/traffic/rollout.ts";
import {
  answer,
  controlled,
  controlOf,
  hasEnded,
  leaseOf,
  nothingToDo,
  type ControlledRollout,
  announceControl,
} from "./controlled.ts";
import { type RolloutControlFacts } from "./facts.ts";
import { giveShareAgain } from "./share_again.ts";
import { moved } from "../../planning/rollout_move.ts";

export const decidePause = controlled(pause);
export const decideResume = controlled(resume);
export const decideAbort = controlled(abort);

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
  if (hasLostShare(rollout, endpoint)) return giveShareAgain(standing, live, reason, context);
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
