import type { ActionUpdate } from "./action_state.ts";
import type { Answer } from "../domain/answer.ts";
import { planSchema } from "../domain/plan.ts";
import type { Database } from "../ports/parts.ts";

/** The state's fields after a finished operation. */
export function answerUpdate(operationId: string, answer: Answer, degraded: string[]): ActionUpdate {
  const {
    deployment_manifest,
    version_record,
    rollback_successful,
    active_deployment_id,
    model_version_id,
    notes,
  } = answer;
  return {
    operation_id: operationId,
    operation_status: "succeeded",
    status: "completed",
    deployment_manifest,
    version_record,
    rollback_successful,
    active_deployment_id,
    ...(model_version_id === null ? {} : { model_version_id }),
    warnings: notes,
    degraded,
  };
}

/** The state's fields when patience ended first: the manifest as the database has it, and no word of success. */
export async function unfinishedUpdate(
  database: Database,
  operationId: string,
  underWay: string | null,
): Promise<ActionUpdate> {
  const operation = await database.operations.get(operationId);
  const plan = planSchema.nullable().parse(operation?.plan ?? null);
  const draft = plan?.draft.deployment_manifest ?? null;
  const endpoint = draft === null ? null : await database.endpoints.get(draft.endpoint_name);
  const traffic = {
    generation: endpoint?.observed_generation ?? 0,
    weights: Object.entries(endpoint?.weights ?? {}).map(([deployment_id, weight]) => ({
      deployment_id,
      weight,
    })),
    mirror_deployment_id: endpoint?.mirror_deployment_id ?? null,
  };
  return {
    operation_id: operationId,
    operation_status: "begun",
    status: "in_progress",
    deployment_manifest: draft === null ? null : { ...draft, status: "deploying", traffic, rollout: null },
    warnings: [
      `Operation ${operationId} is not finished; a worker carries it on, or the same request again.`,
      ...(underWay === null ? [] : [`Under way: ${underWay}`]),
    ],
  };
}
