import { z } from "zod";
import { planSchema, refusalSchema, stepSchema } from "../../../agents/model_deployer/domain/plan.ts";
import { originSchema } from "../../../agents/model_deployer/domain/access/roles.ts";
import { ConflictError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { resumption } from "../../../agents/model_deployer/planning/ways_out/next_steps.ts";
import type {
  Lease,
  Operation,
  RecordedStep,
  SeenOperation,
} from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { ChangeContext } from "../../changes/context.ts";
import type { Queries } from "../../connection/transaction.ts";
import { idRow } from "../../rows.ts";

const anyObject = z.record(z.string(), z.unknown());

const statusSchema = z.enum([
  "claimed",
  "preparing",
  "planned",
  "awaiting_approval",
  "carrying_out",
  "succeeded",
  "refused",
  "failed",
]);

const columnsSchema = z.strictObject({
  operation_id: z.string(),
  action_key: z.string(),
  payload_hash: z.string(),
  action: z.string(),
  requested_by: z.string(),
  asked_from: originSchema.nullable(),
  person: z.string().nullable(),
  request: anyObject,
  status: statusSchema,
  plan: planSchema.nullable(),
  refusal: refusalSchema.nullable(),
  result: anyObject.nullable(),
  error: z.strictObject({ code: z.string(), message: z.string(), details: anyObject }).nullable(),
  created_at: z.string(),
  waits_until: z.string().nullable(),
});

export const operationRow: z.ZodType<Operation> = columnsSchema;

export const unfinishedRow = columnsSchema.pick({ operation_id: true, status: true });

export const seenRow: z.ZodType<SeenOperation> = columnsSchema
  .extend({ now: z.string() })
  .transform(({ now, ...operation }) => ({ now, operation }));

export const operationColumns =
  "operation_id, action_key, payload_hash, action, requested_by, asked_from, person, request, status, plan, refusal, result, error, created_at, waits_until";

export const stepRow: z.ZodType<RecordedStep> = z.strictObject({
  index: z.int(),
  step: z.enum([...stepSchema.options.map((option) => option.shape.step.value), "give_up"]),
  result: anyObject,
});

export interface LockedOperation {
  status: Operation["status"];
  context: ChangeContext & { operation_id: string; payload_hash: string };
}

const lockedColumns =
  "status, operation_id, payload_hash, requested_by, (plan ->> 'generation')::int as generation";

const lockedRow = z.strictObject({
  status: statusSchema,
  operation_id: z.string(),
  payload_hash: z.string(),
  requested_by: z.string(),
  generation: z.int().nullable(),
});

/** Locks the operation until the transaction ends. @throws NotFoundError */
export async function lockOperation(tx: Queries, operationId: string): Promise<LockedOperation> {
  const [row] = await tx.query(
    lockedRow,
    `select ${lockedColumns} from ml_operations where operation_id = $1 for update`,
    [operationId],
  );
  if (row === undefined) throw new NotFoundError(`Operation ${operationId} does not exist; claim it first`);
  return toLocked(row);
}

/**
 * Locks the operation, and notes in the same statement who works on it; a finished one is only read.
 * @throws NotFoundError
 */
export async function lockUnfinished(
  tx: Queries,
  operationId: string,
  lease: Lease | null,
): Promise<LockedOperation> {
  const [row] = await tx.query(
    lockedRow,
    `update ml_operations set lease_name = $2, lease_token = $3, updated_at = clock_timestamp()
     where operation_id = $1 and finished_at is null returning ${lockedColumns}`,
    [operationId, lease?.name ?? null, lease?.token ?? null],
  );
  return row === undefined ? lockOperation(tx, operationId) : toLocked(row);
}

/**
 * A rollback whose process has ended keeps what it has planned until somebody carries it on: only another rollback may
 * overtake it. Anything else would let it fail, and be undone.
 * @throws ConflictError
 */
export async function requireNoneGoesBack(
  tx: Queries,
  operationId: string,
  leaseName: string,
): Promise<void> {
  const [found] = await tx.query(
    idRow,
    `select operation_id as id from ml_operations
     where finished_at is null and status in ('planned', 'carrying_out') and lease_name = $2
       and operation_id <> $1 and (plan ->> 'preempts')::boolean limit 1`,
    [operationId, leaseName],
  );
  if (found === undefined) return;
  throw new ConflictError(
    `A rollback of ${leaseName} (${found.id}) has begun and not ended, and nothing was changed beside it; a worker carries it on, ask again when it has ended`,
    {
      details: { operation_id: operationId, found: { operation_id: found.id } },
      next: [resumption(found.id)],
    },
  );
}

function toLocked({ status, ...context }: z.infer<typeof lockedRow>): LockedOperation {
  return { status, context };
}
