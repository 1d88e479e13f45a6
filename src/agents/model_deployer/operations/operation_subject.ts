import type { ActionRequest } from "../domain/requests.ts";
import type { Database } from "../ports/parts.ts";

/** The experiment, version and endpoint of a request, as far as the database knows them. */
export interface Subject {
  experiment_id: string | null;
  endpoint_name: string | null;
}

/** Finds the subject of a refusal or failure, so that it is remembered with its experiment and endpoint. */
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
      return request.current_deployment_id === undefined
        ? ofEndpoint(request.endpoint_name ?? null, database)
        : ofDeployment(request.current_deployment_id, database);
    case "remove":
    case "restart":
    case "update":
      return ofDeployment(request.deployment_id, database);
    case "pause":
    case "resume":
    case "abort":
    case "promote_now":
    case "retry":
      if (request.rollout_id === null) return ofEndpoint(request.endpoint_name, database);
      return ofRollout(request.rollout_id, database);
    case "advance":
      return ofRollout(request.rollout_id, database);
    default:
      return request satisfies never;
  }
}

async function ofEndpoint(endpoint_name: string | null, database: Database): Promise<Subject> {
  const endpoint = await database.endpoints.get(endpoint_name ?? "");
  return { experiment_id: endpoint?.experiment_id ?? null, endpoint_name };
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
