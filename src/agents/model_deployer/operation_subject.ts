import type { ActionRequest } from "./domain/requests.ts";
import type { Database } from "./parts.ts";

/** What a request is about, as far as the database knows it. */
export interface Subject {
  experiment_id: string | null;
  endpoint_name: string | null;
}

/** So that refusals and failures are remembered with the experiment and the endpoint that they concern. */
export async function subjectOf(request: ActionRequest, database: Database): Promise<Subject> {
  switch (request.action) {
    case "register":
      return { experiment_id: request.experiment_id, endpoint_name: null };
    case "promote":
    case "deploy": {
      const version = await database.modelVersions.get(request.model_version_id);
      return { experiment_id: version?.experiment_id ?? null, endpoint_name: null };
    }
    case "rollback":
      return ofDeployment(request.current_deployment_id, database);
    case "remove":
    case "restart":
      return ofDeployment(request.deployment_id, database);
    case "pause":
    case "resume":
    case "abort":
    case "promote_now":
    case "retry":
      if (request.rollout_id === null) {
        const endpoint = await database.endpoints.get(request.endpoint_name ?? "");
        return { experiment_id: endpoint?.experiment_id ?? null, endpoint_name: request.endpoint_name };
      }
      return ofRollout(request.rollout_id, database);
    case "advance":
      return ofRollout(request.rollout_id, database);
    default:
      return request satisfies never;
  }
}

async function ofDeployment(deploymentId: string, database: Database): Promise<Subject> {
  const deployment = await database.deployments.get(deploymentId);
  return {
    experiment_id: deployment?.experiment_id ?? null,
    endpoint_name: deployment?.endpoint_name ?? null,
  };
}

async function ofRollout(rolloutId: string, database: Database): Promise<Subject> {
  const rollout = await database.rollouts.get(rolloutId);
  return { experiment_id: rollout?.experiment_id ?? null, endpoint_name: rollout?.endpoint_name ?? null };
}
