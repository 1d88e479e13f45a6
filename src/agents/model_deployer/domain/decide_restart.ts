import { emptyAnswer } from "./answer.ts";
import { missing, planned, propose, refuse, refuseForNow } from "./decisions.ts";
import type { Deployment, Endpoint, ModelVersion } from "./entities.ts";
import { manifestOf } from "./manifest.ts";
import { remember } from "./outbox_entries.ts";
import type { Decision } from "./plan.ts";
import { namesOf } from "./plan_names.ts";
import { packageOf, startBesideOf } from "./planned_deployment.ts";
import { isRouted } from "./reconciliation.ts";
import type { DecisionContext, RestartRequest } from "./requests.ts";

export interface RestartFacts {
  deployment: Deployment | null;
  version: ModelVersion | null;
  endpoint: Endpoint | null;
}

/** Starts another server of a deployment, gives it the traffic, and stops the former one; weights stay as they are. */
export function decideRestart(
  request: RestartRequest,
  { deployment, version, endpoint }: RestartFacts,
  context: DecisionContext,
): Decision {
  if (deployment === null || version === null) {
    return missing("Deployment", request.deployment_id, "`deployments <endpoint>` lists those that do");
  }
  const { deployment_id: id, status, endpoint_name, bento_tag } = deployment;
  if (status === "pending") {
    return refuseForNow(`${id} is being deployed by ${deployment.operation_id}; wait for its end.`);
  }
  if (status === "failed" || deployment.drained_at !== null) {
    return refuse("conflict", `${id} is ${status} and has no server; deploy its version anew.`);
  }
  const isOnRoute = endpoint !== null && isRouted(id, endpoint);
  const route = isOnRoute
    ? [planned({ step: "apply_route", endpoint_name, generation: endpoint.generation })]
    : [];
  const shown = endpoint ?? {
    generation: 0,
    weights: {},
    mirror_deployment_id: null,
    endpoint_url: deployment.endpoint_url ?? "",
  };
  return propose({
    summary: `Restart ${id}: another server of ${bento_tag} takes the place of its own on ${endpoint_name}, which is stopped then.`,
    lease_name: endpoint_name,
    steps: [
      planned({ ...packageOf(version), bento_tag }),
      planned(startBesideOf(deployment)),
      ...route,
      planned({ step: "stop_server", deployment_id: id, only_former: true }),
    ],
    on_success: [restartRemembered(request, deployment, context)],
    draft: {
      ...emptyAnswer,
      model_version_id: deployment.model_version_id,
      deployment_manifest: manifestOf(deployment, shown, null),
    },
    generation: endpoint?.generation ?? 0,
    notes: ["Both servers run side by side for a while: there has to be memory for two."],
    names: namesOf({ deployments: [deployment] }),
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
