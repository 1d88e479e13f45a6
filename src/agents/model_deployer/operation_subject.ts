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
    case "rollback": {
      const deployment = await database.deployments.get(request.current_deployment_id);
      return {
        experiment_id: deployment?.experiment_id ?? null,
        endpoint_name: deployment?.endpoint_name ?? null,
      };
    }
    case "advance": {
      const rollout = await database.rollouts.get(request.rollout_id);
      return { experiment_id: rollout?.experiment_id ?? null, endpoint_name: rollout?.endpoint_name ?? null };
    }
    default:
      return request satisfies never;
  }
}
