import { type Answer, emptyAnswer } from "../../domain/answer.ts";
import { ask, listing } from "../../planning/ways_out/next_steps.ts";
import { missing, propose, refuse } from "../../planning/decisions.ts";
import type { Deployment, Endpoint } from "../../domain/entities.ts";
import { manifestOf } from "../../planning/manifest.ts";
import { remember } from "../../planning/announcements/outbox_entries.ts";
import type { Decision } from "../../domain/plan.ts";
import type { DecisionContext, RolloutControlRequest } from "../../domain/requests.ts";
import { isGoingBack, type Rollout } from "../../domain/traffic/rollout.ts";
import type { RolloutControlFacts } from "./facts.ts";

/** A rollout with its endpoint and deployments. */
export interface ControlledRollout {
  rollout: Rollout;
  candidate: Deployment;
  endpoint: Endpoint;
}

type Control = (
  standing: ControlledRollout,
  facts: RolloutControlFacts,
  reason: string,
  context: DecisionContext,
) => Decision;

/** Makes a control idempotent: the second request changes nothing and says so. */
export function controlled(control: Control) {
  return (request: RolloutControlRequest, facts: RolloutControlFacts, context: DecisionContext): Decision => {
    const { rollout, current, endpoint } = facts;
    if (rollout === null || current === null || endpoint === null) return noRollout(request);
    if (isGoingBack(rollout) && request.action !== "abort") return goesBack(rollout, request);
    return control({ rollout, candidate: current, endpoint }, facts, request.rollout_reason, context);
  };
}

/** Final, for what is asked of it would come too late once the rollback has ended. */
function goesBack({ rollout_id }: Rollout, { rollout_reason }: RolloutControlRequest): Decision {
  const again = { deployment_action: "retry", rollout_id, rollout_reason };
  return refuse(
    "conflict",
    `${rollout_id} is being rolled back and takes no part in anything else; once that has ended, retry begins it again.`,
    { next: [ask(again, "begins it again once it has ended, with an approval")] },
  );
}

export function noRollout({ rollout_id: id, endpoint_name: name }: RolloutControlRequest): Decision {
  return missing(
    id === null ? "A rollout of" : "Rollout",
    id ?? name ?? "",
    "see status for what is rolled out",
    [listing.endpoints],
  );
}

export const leaseOf = (rollout: Rollout): string => `rollout/${rollout.rollout_id}`;

export function hasEnded(
  { rollout, candidate, endpoint }: ControlledRollout,
  verb: string,
  reason: string,
): Decision {
  const { rollout_id, status, endpoint_name } = rollout;
  const { deployment_id: id } = candidate;
  const serves = (endpoint.weights[id] ?? 0) > 0;
  const leave = { deployment_action: "rollback", current_deployment_id: id, rollback_reason: reason };
  const back = { deployment_action: "rollback", endpoint_name, rollback_to: id, rollback_reason: reason };
  const again = { deployment_action: "retry", rollout_id, rollout_reason: reason };
  const [wayOut, next] = !serves
    ? status === "completed"
      ? ["it has been replaced since, and comes back by name", ask(back, `brings ${id} back at once`)]
      : [
          "only one that is running or paused can be; retry begins it again",
          ask(again, "begins it again, with an approval"),
        ]
    : [`${id} serves; a rollback takes it back`, ask(leave, `takes ${id} back`, "person")];
  return refuse("conflict", `${rollout_id} is ${status} and cannot be ${verb}: ${wayOut}.`, { next: [next] });
}

export function nothingToDo(standing: ControlledRollout, note: string): Decision {
  const { rollout, endpoint } = standing;
  const draft = { ...answer(standing, rollout.status), notes: [note] };
  return propose({
    summary: `Nothing to do for ${rollout.rollout_id}: ${note}`,
    lease_name: leaseOf(rollout),
    draft,
    generation: endpoint.generation,
  });
}

export function answer(
  { rollout, candidate, endpoint }: ControlledRollout,
  status: Rollout["status"],
): Answer {
  return {
    ...emptyAnswer,
    model_version_id: candidate.model_version_id,
    active_deployment_id: candidate.deployment_id,
    deployment_manifest: manifestOf(candidate, endpoint, { ...rollout, status }),
  };
}

export function announceControl(
  { rollout, candidate }: ControlledRollout,
  what: string,
  context: DecisionContext,
) {
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

/** Another control of the same rollout, as a way out. */
export function controlOf(
  { rollout_id }: Rollout,
  action: "abort" | "promote_now",
  rollout_reason: string,
  why: string,
) {
  return ask({ deployment_action: action, rollout_id, rollout_reason }, why);
}
