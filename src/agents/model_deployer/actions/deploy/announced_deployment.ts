import type { Change } from "../../domain/changes.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import type { DecisionContext, DeployRequest } from "../../domain/requests.ts";
import type { PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";
import { projectStage, recordProcedure, remember } from "../../planning/announcements/outbox_entries.ts";
import type { DeployFacts } from "./facts.ts";

/** Announces the replaced version too: the registry marks the version that a rollback would bring back. */
export function announceReplaced(
  traffic: PlannedTraffic,
  facts: DeployFacts,
  version: ModelVersion,
  context: DecisionContext,
): Change[] {
  const replaced = facts.deployments.find((one) => one.deployment_id === traffic.baseline);
  const isSame = replaced === undefined || replaced.model_version_id === version.model_version_id;
  return isSame ? [] : [projectStage(context.operation_id, replaced.model_version_id)];
}

/** The episode that is remembered when the deployment succeeds. */
export function memories(
  request: DeployRequest,
  version: ModelVersion,
  deployment: Deployment,
  traffic: PlannedTraffic,
  context: DecisionContext,
): Change[] {
  const pending = traffic.rollout !== null;
  return [
    remember(context.operation_id, {
      event_subtype: "deployment",
      description: `Deployed ${deployment.bento_tag} at ${request.target_stage} on ${deployment.endpoint_name}`,
      experiment_id: version.experiment_id,
      endpoint_name: deployment.endpoint_name,
      outcome_type: pending ? "pending" : "success",
      raw_content: {
        deployment_id: deployment.deployment_id,
        stage: request.target_stage,
        weights: traffic.weights,
      },
      occurred_at: context.now,
    }),
    recordProcedure(context.operation_id, {
      name: `deploy_${request.target_stage}`,
      type: "tool_sequence",
      trigger: `deployment:${version.model_name}`,
      sequence: [
        "package_model",
        "start_server",
        "want_route",
        "apply_route",
        ...(pending ? ["start_rollout"] : []),
      ],
      succeeded: true,
    }),
  ];
}
