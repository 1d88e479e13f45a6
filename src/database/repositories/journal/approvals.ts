import { z } from "zod";
import { requirePlainText } from "../../connection/plain_input.ts";
import {
  waysOfUnusable,
  whyUnusable,
} from "../../../agents/model_deployer/planning/approval/usable_approval.ts";
import { InvalidApprovalError, NotPermittedError } from "../../../agents/model_deployer/errors.ts";
import type { Approval, Approvals } from "../../../agents/model_deployer/ports/stores/approval_stores.ts";
import { rolesWith } from "../../../agents/model_deployer/domain/access/roles.ts";
import { missingRight } from "../../../agents/model_deployer/planning/approval/missing_right.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import type { Queries } from "../../connection/transaction.ts";
import { type LockedOperation, lockOperation } from "./operation_rows.ts";
import { authenticateWith } from "../people/principals.ts";

const approvalRow: z.ZodType<Approval> = z.strictObject({
  approval_id: z.string(),
  operation_id: z.string(),
  approver: z.string(),
});

/**
 * SQL for whether `approval` still holds for the operation `o`. A constraint of the table keeps a requester from
 * approving.
 */
export const STILL_HOLDS =
  "approval.used_at is null and approval.revoked_at is null and approval.expires_at > clock_timestamp()";

/** SQL for whether the approver of `approval` may approve its operation now. */
const MAY_APPROVE = `ml_has_role(approval.approver, array['approver', 'administrator'],
  ml_experiment_of((select request from ml_operations o where o.operation_id = approval.operation_id)))`;

const waitingRow = z.strictObject({
  waits_until: z.string().nullable(),
  is_over: z.boolean(),
  endpoint_generation: z.int().nullable(),
  request: z.record(z.string(), z.unknown()),
});

const WAITING = `select request, waits_until, coalesce(waits_until <= clock_timestamp(), false) as is_over,
    (select e.generation from ml_endpoints e where e.endpoint_name = o.plan ->> 'lease_name') as endpoint_generation
  from ml_operations o where operation_id = $1`;

const fateRow = z.strictObject({ approval_id: z.string(), fate: z.string() });

export class PostgresApprovals implements Approvals {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
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
       where operation_id = $1 and payload_hash = $2 and generation = $3 and ${STILL_HOLDS} and ${MAY_APPROVE}
       order by granted_at, approval_id`,
      [operationId, bound.payload_hash, bound.generation],
    );
  }

  /**
   * Approves the plan that the operation waits with; it holds for 24 h. Granting again while it holds changes nothing,
   * and renews it when it has expired.
   */
  async grant(input: { token: string; operation_id: string; reason: string }): Promise<Approval> {
    requirePlainText("The approval's reason", input.reason);
    return this.#database.transaction(async (tx) => {
      const { principal } = await authenticateWith(tx, input.token);
      await requireUsable(tx, await lockOperation(tx, input.operation_id));
      await requireApprover(tx, principal, input.operation_id);
      const [granted] = await tx.query(
        approvalRow,
        "select approval_id, operation_id, approver from ml_grant_approval($1, $2, $3)",
        [input.token, input.operation_id, input.reason],
      );
      if (granted !== undefined) return granted;
      throw new InvalidApprovalError(`Approval of ${input.operation_id} by ${principal} was not granted`);
    });
  }

  /** A revoked approval stays in the table; its approver may grant another. */
  async revoke(input: { token: string; operation_id: string; reason: string }): Promise<Approval[]> {
    requirePlainText("The reason to revoke it", input.reason);
    return this.#database.transaction(async (tx) => {
      const { principal } = await authenticateWith(tx, input.token);
      await lockOperation(tx, input.operation_id);
      const revoked = await tx.query(
        approvalRow,
        "select approval_id, operation_id, approver from ml_revoke_approval($1, $2, $3)",
        [input.token, input.operation_id, input.reason],
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

/** @throws InvalidApprovalError where an approval could not be used, with what can be asked for instead */
async function requireUsable(tx: Queries, { status, context }: LockedOperation): Promise<void> {
  const { operation_id, generation } = context;
  const [found] = await tx.query(waitingRow, WAITING, [operation_id]);
  if (found === undefined) return;
  const { request, ...waiting } = found;
  const next = waysOfUnusable({ operation_id, status, request });
  if (status !== "awaiting_approval" || generation === null) {
    throw new InvalidApprovalError(
      `Operation ${operation_id} waits for no approval: it is ${status}; approve one that is awaiting_approval`,
      { details: { operation_id, found: { status } }, next },
    );
  }
  const useless = whyUnusable({ operation_id, generation, ...waiting });
  if (useless === null) return;
  throw new InvalidApprovalError(useless, { details: { operation_id, ...waiting }, next });
}

const allowedRow = z.strictObject({ may: z.boolean(), experiment: z.string().nullable() });

/** @throws NotPermittedError with the roles that would do */
async function requireApprover(tx: Queries, principal: string, operationId: string): Promise<void> {
  const [found] = await tx.query(
    allowedRow,
    `select ml_has_role($1, $3, experiment) as may, experiment
     from ml_operations o, ml_experiment_of(o.request) as experiment where operation_id = $2`,
    [principal, operationId, rolesWith("approve")],
  );
  if (found?.may === true) return;
  const asked = { who: principal, right: "approve", extent: found?.experiment ?? null } as const;
  const { message, options } = missingRight(asked);
  throw new NotPermittedError(message, options);
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
