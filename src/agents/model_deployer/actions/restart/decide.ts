import { emptyAnswer } from "../../domain/answer.ts";
import { missing, planned, propose, refuse, refuseForNow } from "../../planning/decisions.ts";
import { ask, listing } from "../../planning/ways_out/next_steps.ts";
import type { Deployment, Endpoint } from "../../domain/entities.ts";
import { manifestOf } from "../../planning/manifest.ts";
import { remember } from "../../planning/announcements/outbox_entries.ts";
import type { Decision, PlannedStep } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { packageOf, startBesideOf } from "../../planning/planned_deployment.ts";
import { isRouted } from "../../domain/traffic/weights.ts";
import type { DecisionContext, RestartRequest } from "../../domain/requests.ts";
import type { RestartFacts } from "./facts.ts";

/** Starts another server of a deployment, gives it the traffic, and stops the former one; weights stay as they are. */
export function decideRestart(
  request: RestartRequest,
  { deployment, version, endpoint }: RestartFacts,
  context: DecisionContext,
): Decision {
  if (deployment === null || version === null) {
    return missing("Deployment", request.deployment_id, "`deployments <endpoint>` lists those that do", [
      listing.deployments,
    ]);
  }
  const { deployment_id: id, status, endpoint_name, bento_tag } = deployment;
  if (status === "pending") {
    return refuseForNow(`${id} is being deployed by ${deployment.operation_id}; wait for its end.`);
  }
  if (status === "failed" || deployment.drained_at !== null) {
    return refuseWithoutServer(deployment, request.restart_reason);
  }
  const shown = endpoint ?? {
    generation: 0,
    weights: {},
    mirror_deployment_id: null,
    endpoint_url: deployment.endpoint_url ?? "",
  };
  return propose({
    summary: summaryOf(deployment),
    lease_name: endpoint_name,
    steps: [planned({ ...packageOf(version), bento_tag }), ...replaceEach(deployment, endpoint)],
    on_success: [restartRemembered(request, deployment, context)],
    draft: {
      ...emptyAnswer,
      model_version_id: deployment.model_version_id,
      deployment_manifest: manifestOf(deployment, shown, null),
    },
    generation: endpoint?.generation ?? 0,
    notes: [noteOf(deployment)],
    names: namesOf({ deployments: [deployment] }),
  });
}

function summaryOf({ deployment_id: id, bento_tag, endpoint_name, replicas }: Deployment): string {
  return replicas === 1
    ? `Restart ${id}: another server of ${bento_tag} takes the place of its own on ${endpoint_name}, which is stopped then.`
    : `Restart ${id}: other servers of ${bento_tag} take the place of its ${replicas} on ${endpoint_name}, one by one.`;
}

function noteOf({ replicas }: Deployment): string {
  return replicas === 1
    ? "Both servers run side by side for a while: there has to be memory for two."
    : "Each runs beside the one that it replaces for a while: there has to be memory for one more.";
}

/** Each of its servers in turn: another one beside it, the traffic to that one, and then the end of the former. */
function replaceEach(deployment: Deployment, endpoint: Endpoint | null): PlannedStep[] {
  const { deployment_id, endpoint_name, replicas } = deployment;
  const isOnRoute = endpoint !== null && isRouted(deployment_id, endpoint);
  const route = isOnRoute
    ? [planned({ step: "apply_route", endpoint_name, generation: endpoint.generation })]
    : [];
  return Array.from({ length: replicas }, (_, index) => index + 1).flatMap((replica) => [
    planned({ ...startBesideOf(deployment), ...(replicas > 1 && { replica }) }),
    ...route,
    planned({ step: "stop_server", deployment_id, only_former: true }),
  ]);
}

function refuseWithoutServer(deployment: Deployment, rollback_reason: string): Decision {
  const { deployment_id: id, status, target_stage, model_version_id, endpoint_name } = deployment;
  const deploy = { deployment_action: "deploy", model_version_id, target_stage };
  const back = { deployment_action: "rollback", endpoint_name, rollback_to: id, rollback_reason };
  const hasServed = target_stage === "production" && deployment.activated_at !== null;
  return refuse("conflict", `${id} is ${status} and has no server; deploy its version anew.`, {
    next: [
      ...(hasServed ? [ask(back, `gives ${id} all traffic again`, "person")] : []),
      ask(deploy, `serves ${model_version_id} as another deployment`),
    ],
  });
}

function restartRemembered(
  { restart_reason: reason }: RestartRequest,
  { deployment_id, bento_tag, endpoint_name, experiment_id }: Deployment,
  context: DecisionContext,
) {
  return remember(context.operation_id, {
    event_subtype: "restart",
    description: `Restarted the server of ${bento_tag} on ${endpoint_name}: ${reason}`,
    experiment_id,
    endpoint_name,
    outcome_type: "success",
    raw_content: { deployment_id, reason, by: context.requested_by },
    occurred_at: context.now,
  });
}
