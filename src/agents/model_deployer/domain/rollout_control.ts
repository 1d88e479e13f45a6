import { type Answer, emptyAnswer } from "./answer.ts";
import { missing, propose, refuse } from "./decisions.ts";
import type { RollbackFacts } from "./decide_rollback.ts";
import type { Deployment, Endpoint, GatePolicy } from "./entities.ts";
import { manifestOf } from "./manifest.ts";
import { remember } from "./outbox_entries.ts";
import type { Decision } from "./plan.ts";
import type { DecisionContext, RolloutControlRequest } from "./requests.ts";
import type { Rollout } from "./rollout.ts";

export interface RolloutControlFacts extends RollbackFacts {
  /** The one that is named, or the endpoint's last one. */
  rollout: Rollout | null;
  /** The candidate's server answers now, with the expected tag. */
  candidate_is_ready: boolean;
  policy: GatePolicy;
  retention_seconds: number;
}

/** A rollout with what it moves. */
export interface Standing {
  rollout: Rollout;
  candidate: Deployment;
  endpoint: Endpoint;
}

type Control = (
  standing: Standing,
  facts: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
) => Decision;

/** What was asked for twice is done once: the second time changes nothing and says so. */
export function controlled(control: Control) {
  return (request: RolloutControlRequest, facts: RolloutControlFacts, context: DecisionContext): Decision => {
    const { rollout, current, endpoint } = facts;
    if (rollout === null || current === null || endpoint === null) return noRollout(request);
    const isGoingBack = rollout.status === "paused" && rollout.next_tick_at === null;
    if (isGoingBack && request.action !== "abort")
      return refuse("conflict", `${rollout.rollout_id} is being rolled back; wait for its end.`);
    return control({ rollout, candidate: current, endpoint }, facts, request.rollout_reason, context);
  };
}

export function noRollout({ rollout_id: id, endpoint_name: name }: RolloutControlRequest): Decision {
  return missing(
    id === null ? "A rollout of" : "Rollout",
    id ?? name ?? "",
    "see status for what is rolled out",
  );
}

export const leaseOf = (rollout: Rollout): string => `rollout/${rollout.rollout_id}`;

export function hasEnded(rollout: Rollout, verb: string): Decision {
  const { rollout_id: id, status, deployment_id: candidate } = rollout;
  const wayOut =
    status === "completed"
      ? `roll ${candidate} back instead`
      : "only one that is running or paused can be; retry begins it again";
  return refuse("conflict", `${id} is ${status} and cannot be ${verb}: ${wayOut}.`);
}

export function nothingToDo(standing: Standing, note: string): Decision {
  const { rollout, endpoint } = standing;
  const draft = { ...answer(standing, rollout.status), notes: [note] };
  return propose({
    summary: `Nothing to do for ${rollout.rollout_id}: ${note}`,
    lease_name: leaseOf(rollout),
    draft,
    generation: endpoint.generation,
  });
}

export function answer({ rollout, candidate, endpoint }: Standing, status: Rollout["status"]): Answer {
  return {
    ...emptyAnswer,
    model_version_id: candidate.model_version_id,
    active_deployment_id: candidate.deployment_id,
    deployment_manifest: manifestOf(candidate, endpoint, { ...rollout, status }),
  };
}

export function told({ rollout, candidate }: Standing, what: string, context: DecisionContext) {
  return remember(context.operation_id, {
    event_subtype: "rollout_control",
    description: `${rollout.endpoint_name}: rollout of ${candidate.bento_tag} ${what}`,
    experiment_id: rollout.experiment_id,
    endpoint_name: rollout.endpoint_name,
    outcome_type: "success",
    raw_content: { rollout_id: rollout.rollout_id, step_index: rollout.step_index, by: context.requested_by },
    occurred_at: context.now,
  });
}
