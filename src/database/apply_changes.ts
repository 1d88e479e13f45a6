import type { Change } from "../agents/model_deployer/domain/changes.ts";
import { spendApproval } from "./changes/approval_changes.ts";
import type { ChangeContext } from "./changes/context.ts";
import {
  callOffDrain,
  dateDeployment,
  insertDeployment,
  markDrained,
  resumeDrain,
  setResources,
  setDeploymentStatus,
} from "./changes/deployment_changes.ts";
import { observeRoute, openEndpoint, wantRoute } from "./changes/endpoint_changes.ts";
import { insertModelVersion, setStage } from "./changes/model_version_changes.ts";
import { enqueue } from "./changes/outbox_changes.ts";
import { tellSinks } from "./changes/notice_changes.ts";
import { noteRestart } from "./changes/restart_changes.ts";
import { moveRollout, startRollout } from "./changes/rollout_changes.ts";
import type { Transaction } from "./connection/transaction.ts";

/**
 * Applies the changes in their order, within the caller's transaction.
 * @throws ConflictError when the state that a change was decided on has moved; its details name what was expected and
 * what was found
 * @throws NotFoundError when the row that a change names does not exist
 * @throws InvalidApprovalError | InvalidPromotionPathError | InvalidRequestError
 */
export async function applyChanges(
  tx: Transaction,
  changes: Change[],
  context: ChangeContext,
): Promise<void> {
  const [first, ...others] = retireFirst(changes).map((change) => () => applyChange(tx, change, context));
  if (first !== undefined) await tx.together(first, ...others);
}

/** Puts the retirement of a production version first: that there is one such version holds after each statement. */
function retireFirst(changes: Change[]): Change[] {
  const retires = (change: Change) => change.change === "set_stage" && change.to === "archived";
  return [...changes.filter(retires), ...changes.filter((change) => !retires(change))];
}

function applyChange(tx: Transaction, change: Change, context: ChangeContext): Promise<void> {
  switch (change.change) {
    case "insert_model_version":
      return insertModelVersion(tx, change, context);
    case "set_stage":
      return setStage(tx, change, context);
    case "open_endpoint":
      return openEndpoint(tx, change);
    case "insert_deployment":
      return insertDeployment(tx, change);
    case "set_deployment_status":
      return setDeploymentStatus(tx, change);
    case "date_deployment":
      return dateDeployment(tx, change);
    case "mark_drained":
      return markDrained(tx, change);
    case "call_off_drain":
      return callOffDrain(tx, change);
    case "resume_drain":
      return resumeDrain(tx, change);
    case "set_resources":
      return setResources(tx, change);
    case "note_restart":
      return noteRestart(tx, change);
    case "want_route":
      return wantRoute(tx, change, context);
    case "observe_route":
      return observeRoute(tx, change);
    case "start_rollout":
      return startRollout(tx, change, context);
    case "move_rollout":
      return moveRollout(tx, change, context);
    case "spend_approval":
      return spendApproval(tx, change, context);
    case "enqueue":
      return enqueue(tx, change, context);
    case "notify":
      return tellSinks(tx, change.notice, { operation_id: context.operation_id });
  }
}
