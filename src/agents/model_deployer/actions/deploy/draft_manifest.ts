import type { DeploymentManifest } from "../../domain/answer.ts";
import type { Deployment } from "../../domain/entities.ts";
import type { PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { manifestBasics } from "../../planning/manifest.ts";
import { draftRollout } from "../../planning/planned_deployment.ts";
import type { DeployFacts } from "./facts.ts";

export function draftManifest(
  deployment: Deployment,
  traffic: PlannedTraffic,
  facts: DeployFacts,
  context: DecisionContext,
): DeploymentManifest {
  return {
    ...manifestBasics(deployment),
    endpoint_url: facts.endpoint?.endpoint_url ?? "",
    deployed_at: context.now,
    deployment_duration_seconds: 0,
    status: traffic.rollout === null ? "active" : "deploying",
    traffic: {
      generation: (facts.endpoint?.generation ?? 0) + 1,
      weights: Object.entries(traffic.weights).map(([deployment_id, weight]) => ({ deployment_id, weight })),
      mirror_deployment_id: traffic.mirror,
    },
    rollout: draftRollout(traffic, context),
  };
}
