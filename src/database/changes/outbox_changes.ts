import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import { anyRow, type Queries } from "../connection/transaction.ts";
import { json } from "../rows.ts";
import type { ChangeContext } from "./context.ts";

/** Idempotent by key: a message that is enqueued again is kept once. */
export async function enqueue(
  tx: Queries,
  change: ChangeOf<"enqueue">,
  context: ChangeContext,
): Promise<void> {
  await tx.query(
    anyRow,
    `insert into ml_outbox (topic, dedupe_key, payload, operation_id) values ($1, $2, $3, $4)
     on conflict (dedupe_key) do nothing`,
    [change.topic, change.dedupe_key, json(change.payload), context.operation_id],
  );
}
