import { randomUUID } from "node:crypto";
import { z } from "zod";
import { InvalidApprovalError } from "../../agents/model_deployer/errors.ts";
import type { Approval, Approvals } from "../../agents/model_deployer/store_ports.ts";
import type { Database } from "../pool.ts";
import { lockOperation } from "./operation_rows.ts";
import { authenticateWith } from "./principals.ts";

const approvalRow: z.ZodType<Approval> = z.strictObject({
  approval_id: z.string(),
  operation_id: z.string(),
  approver: z.string(),
});

/** Whether `approval` still holds for the operation `o`. That the approver is not the requester is the table's rule. */
const STILL_HOLDS = "approval.used_at is null and approval.expires_at > clock_timestamp()";

export class PostgresApprovals implements Approvals {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Oldest first, at most one for each approver. */
  async listValid(
    operationId: string,
    bound: { payload_hash: string; generation: number },
  ): Promise<Approval[]> {
    return this.#database.query(
      approvalRow,
      `select approval_id, operation_id, approver from ml_approvals as approval
       where operation_id = $1 and payload_hash = $2 and generation = $3 and ${STILL_HOLDS}
       order by granted_at, approval_id`,
      [operationId, bound.payload_hash, bound.generation],
    );
  }

  /**
   * For the plan that the operation waits with; it holds for 24 h. Granting again while it holds changes nothing,
   * and renews it when it has expired.
   */
  async grant(input: { token: string; operation_id: string; reason: string }): Promise<Approval> {
    return this.#database.transaction(async (tx) => {
      const { principal } = await authenticateWith(tx, input.token);
      const { status, context } = await lockOperation(tx, input.operation_id);
      if (status !== "awaiting_approval" || context.generation === null) {
        throw new InvalidApprovalError(
          `Operation ${input.operation_id} waits for no approval: it is ${status}; approve one that is awaiting_approval`,
          { details: { operation_id: input.operation_id, found: { status } } },
        );
      }
      const [granted] = await tx.query(
        approvalRow,
        `insert into ml_approvals as approval
           (approval_id, operation_id, payload_hash, generation, approver, reason)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (operation_id, payload_hash, generation, approver) do update set
           reason = case when ${STILL_HOLDS} then approval.reason else excluded.reason end,
           granted_at = case when ${STILL_HOLDS} then approval.granted_at else excluded.granted_at end,
           expires_at = case when ${STILL_HOLDS} then approval.expires_at else excluded.expires_at end
         returning approval_id, operation_id, approver`,
        [
          `approval_${randomUUID()}`,
          input.operation_id,
          context.payload_hash,
          context.generation,
          principal,
          input.reason,
        ],
      );
      if (granted !== undefined) return granted;
      throw new InvalidApprovalError(`Approval of ${input.operation_id} by ${principal} was not granted`);
    });
  }
}
