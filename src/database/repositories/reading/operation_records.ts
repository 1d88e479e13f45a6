import { z } from "zod";
import { instantSchema } from "../../../agents/model_deployer/domain/entities.ts";
import type { Operation } from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { operationColumns, operationRow } from "../journal/operation_rows.ts";

const approvalRow = z.strictObject({
  approval_id: z.string(),
  operation_id: z.string(),
  approver: z.string(),
  reason: z.string(),
  generation: z.int(),
  granted_at: instantSchema,
  expires_at: instantSchema,
  used_at: instantSchema.nullable(),
  revoked_at: instantSchema.nullable(),
  revoke_reason: z.string().nullable(),
  /** Whether it counts for the plan that waits now. */
  holds: z.boolean(),
});
/** An approval with all that became of it. */
export type ApprovalRecord = z.infer<typeof approvalRow>;

const STATES = {
  open: "finished_at is null and status <> 'claimed'",
  waiting: "status = 'awaiting_approval'",
  ended: "finished_at is not null",
  refused: "status = 'refused'",
} as const;
/** Which operations are asked for. */
export type OperationState = keyof typeof STATES;

/** Operations and their approvals for people who look at them. */
export class PostgresOperationRecords {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** The newest first; the worker's own looks are left out. */
  async list({ state, limit }: { state: OperationState; limit: number }): Promise<Operation[]> {
    return this.#database.query(
      operationRow,
      `select ${operationColumns} from ml_operations where ${STATES[state]} and action <> 'advance'
       order by created_at desc limit $1`,
      [limit],
    );
  }

  /** Oldest first. */
  async approvals(operationIds: readonly string[]): Promise<ApprovalRecord[]> {
    return this.#database.query(
      approvalRow,
      `select approval_id, operation_id, approver, reason, a.generation, granted_at, expires_at, used_at, revoked_at,
         revoke_reason, used_at is null and revoked_at is null and expires_at > clock_timestamp()
           and a.payload_hash = o.payload_hash and a.generation = (o.plan ->> 'generation')::int as holds
       from ml_approvals a join ml_operations o using (operation_id)
       where operation_id = any ($1) order by granted_at, approval_id`,
      [operationIds],
    );
  }
}
