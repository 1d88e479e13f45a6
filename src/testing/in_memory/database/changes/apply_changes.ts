import type { Change, ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import { jsonObject } from "../table.ts";
import { spendApproval } from "./approval_changes.ts";
import type { ChangeContext } from "./context.ts";
import { dateDeployment, insertDeployment, markDrained, setDeploymentStatus } from "./deployment_changes.ts";
import { noteRestart } from "./restart_changes.ts";
import { moveRollout, startRollout } from "./rollout_changes.ts";
import { observeRoute, openEndpoint, wantRoute } from "./route_changes.ts";
import { insertModelVersion, setStage } from "./version_changes.ts";

/**
 * Applies the changes in their order, but frees the place at production first.
 * @throws ConflictError | NotFoundError | InvalidApprovalError | InvalidPromotionPathError | InvalidRequestError
 */
export function applyChanges(changes: readonly Change[], context: ChangeContext): void {
  const retires = (change: Change) => change.change === "set_stage" && change.to === "archived";
  const ordered = [...changes.filter(retires), ...changes.filter((change) => !retires(change))];
  for (const change of ordered) applyChange(change, context);
}

function applyChange(change: Change, context: ChangeContext): void {
  switch (change.change) {
    case "insert_model_version":
      return insertModelVersion(change, context);
    case "set_stage":
      return setStage(change, context);
    case "open_endpoint":
      return openEndpoint(change, context);
    case "insert_deployment":
      return insertDeployment(change, context);
    case "set_deployment_status":
      return setDeploymentStatus(change, context);
    case "date_deployment":
      return dateDeployment(change, context.tables);
    case "mark_drained":
      return markDrained(change, context.tables);
    case "note_restart":
      return noteRestart(change, context.tables);
    case "want_route":
      return wantRoute(change, context);
    case "observe_route":
      return observeRoute(change, context);
    case "start_rollout":
      return startRollout(change, context);
    case "move_rollout":
      return moveRollout(change, context.tables, context);
    case "spend_approval":
      return spendApproval(change, context);
    case "enqueue":
      return enqueue(change, context);
  }
}

/** A key that came before is no change. */
function enqueue({ topic, dedupe_key, payload }: ChangeOf<"enqueue">, { tables }: ChangeContext): void {
  const { outbox, clock } = tables;
  if (outbox.get(dedupe_key) !== null) return;
  outbox.insert({
    entry_id: String(outbox.where(() => true).length + 1),
    topic,
    dedupe_key,
    payload: jsonObject(payload),
    attempts: 0,
    next_attempt_at: clock.now(),
    delivered_at: null,
    last_error: null,
  });
}
