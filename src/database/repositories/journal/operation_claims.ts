import { IdempotencyKeyReusedError } from "../../../agents/model_deployer/errors.ts";
import type {
  Operation,
  OperationJournal,
} from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import { json } from "../../rows.ts";
import type { Queries } from "../../connection/transaction.ts";
import { operationColumns, operationRow } from "./operation_rows.ts";

export type ClaimInput = Parameters<OperationJournal["claim"]>[0];

/**
 * A key that is derived from the payload is numbered by the attempts that have ended: an unfinished one is found again,
 * and a finished one does not block the next.
 */
const KEY = `with key as (select coalesce('req:' || $2::text, 'auto:' || $1::text || ':' || (
    select count(*) from ml_operations where payload_hash = $1 and request_id is null and finished_at is not null
  )) as action_key)`;
const CLAIM = `${KEY}
  insert into ml_operations (operation_id, action_key, payload_hash, request_id, action, requested_by, request, asked_from)
  select 'op_' || left(encode(sha256(convert_to(action_key, 'UTF8')), 'hex'), 24), action_key, $1, $2, $3, $4, $5, $6
  from key on conflict do nothing returning ${operationColumns}`;

/** As `OperationJournal.claim`. */
export async function claimOperation(queries: Queries, input: ClaimInput): Promise<Operation> {
  const [inserted] = await queries.query(operationRow, CLAIM, [
    input.payload_hash,
    input.request_id,
    input.action,
    input.requested_by,
    json(input.request),
    json(input.asked_from ?? null),
  ]);
  if (inserted !== undefined) return inserted;
  const [operation] = await queries.query(
    operationRow,
    `${KEY} select ${operationColumns} from ml_operations join key using (action_key)`,
    [input.payload_hash, input.request_id],
  );
  if (operation?.payload_hash === input.payload_hash) return operation;
  throw new IdempotencyKeyReusedError(
    `request_id ${input.request_id} came before with another body; use a new one for a new request`,
    {
      details: {
        operation_id: operation?.operation_id,
        expected: operation?.payload_hash,
        found: input.payload_hash,
      },
    },
  );
}
