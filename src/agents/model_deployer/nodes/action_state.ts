import { CheckedState } from "../state/checked_state.ts";
import { ModelDeployerState } from "../state/state.ts";

const { action_request, idempotency_key, status, warnings, model_version_id } = ModelDeployerState.fields;
const { operation_id, operation_status, deployment_plan, deployment_manifest, version_record } =
  ModelDeployerState.fields;
const { rollback_successful, active_deployment_id, degraded } = ModelDeployerState.fields;

const asked = { action_request, idempotency_key };
const answered = {
  status,
  warnings,
  model_version_id,
  operation_id,
  operation_status,
  deployment_plan,
  deployment_manifest,
  version_record,
  rollback_successful,
  active_deployment_id,
  degraded,
};

/**
 * The state that an action's nodes share, without the pipeline's other fields: a checkpointer stores each field by a
 * statement of its own before the first node runs, and a rollback would wait for those.
 */
export const ActionState = new CheckedState({ ...asked, ...answered });
export type ActionStateValue = typeof ActionState.State;
export type ActionUpdate = typeof ActionState.Update;

export const ActionInput = new CheckedState(asked);
export const ActionOutput = new CheckedState(answered);
