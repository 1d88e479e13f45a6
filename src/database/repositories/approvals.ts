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
const STILL_HOLDS =
  "approval.used_at is null and approval.revoked_at is null and approval.expires_at > clock_timestamp()";

const fateRow = z.strictObject({ approval_id: z.string(), fate: z.string() });

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
         on conflict (operation_id, payload_hash, generation, approver) where revoked_at is null do update set
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

  /** A revoked approval stays in the table; its approver may grant another. */
  async revoke(input: { token: string; operation_id: string; reason: string }): Promise<Approval[]> {
    return this.#database.transaction(async (tx) => {
      const { principal } = await authenticateWith(tx, input.token);
      await lockOperation(tx, input.operation_id);
      const revoked = await tx.query(
        approvalRow,
        `update ml_approvals as approval
         set revoked_at = clock_timestamp(), revoked_by = approver, revoke_reason = $3
         where operation_id = $1 and approver = $2 and ${STILL_HOLDS}
         returning approval_id, operation_id, approver`,
        [input.operation_id, principal, input.reason],
      );
      if (revoked.length > 0) return revoked;
      const [last] = await tx.query(
        fateRow,
        `select approval_id, case when used_at is not null then 'was used at ' || used_at
           when revoked_at is not null then 'was revoked at ' || revoked_at
           else 'expired at ' || expires_at end as fate
         from ml_approvals where operation_id = $1 and approver = $2 order by granted_at desc limit 1`,
        [input.operation_id, principal],
      );
      throw nothingToRevoke(input.operation_id, principal, last ?? null);
    });
  }
}

function nothingToRevoke(
  operationId: string,
  principal: string,
  last: { approval_id: string; fate: string } | null,
): InvalidApprovalError {
  const why = last === null ? "there is none" : `${last.approval_id} ${last.fate}`;
  return new InvalidApprovalError(
    `${principal} has no approval of operation ${operationId} to revoke: ${why}`,
    { details: { operation_id: operationId, found: last } },
  );
}
