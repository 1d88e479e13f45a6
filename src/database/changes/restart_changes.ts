import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import { anyRow, type Queries } from "../connection/transaction.ts";

export async function noteRestart(tx: Queries, change: ChangeOf<"note_restart">): Promise<void> {
  const { deployment_id, failures, wait_seconds, last_error } = change;
  await tx.query(
    anyRow,
    `insert into ml_server_restarts (deployment_id, failures, last_error, next_try_at)
     values ($1, $2, $3, clock_timestamp() + make_interval(secs => $4::float8))
     on conflict (deployment_id) do update set failures = excluded.failures, last_error = excluded.last_error,
       next_try_at = excluded.next_try_at`,
    [deployment_id, failures, last_error, wait_seconds],
  );
}
