import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import { check } from "../table.ts";
import type { Tables } from "../tables.ts";

export function noteRestart(
  change: ChangeOf<"note_restart">,
  { restarts, deployments, clock }: Tables,
): void {
  const { deployment_id, failures, wait_seconds, last_error } = change;
  deployments.require(deployment_id);
  check(failures > 0 === (wait_seconds !== null), "ml_server_restarts_check");
  const next_try_at = wait_seconds === null ? null : clock.after(wait_seconds);
  restarts.put({ deployment_id, failures, last_error, next_try_at });
}
