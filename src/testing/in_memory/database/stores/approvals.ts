import { createHash, randomUUID } from "node:crypto";
import {
  ConflictError,
  InvalidApprovalError,
  InvalidRequestError,
  NotAuthenticatedError,
  NotFoundError,
} from "../../../../agents/model_deployer/errors.ts";
import type { Approval, Approvals, Principals } from "../../../../agents/model_deployer/store_ports.ts";
import { check } from "../table.ts";
import type { ApprovalRow, Tables } from "../tables.ts";

const MINIMUM_TOKEN_LENGTH = 16;
const APPROVAL_SECONDS = 24 * 3600;

export class InMemoryPrincipals implements Principals {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async authenticate(token: string): Promise<{ principal: string }> {
    const found = this.#tables.principals.first((row) => row.token_sha256 === hashOf(token));
    if (found !== null) return { principal: found.principal };
    throw new NotAuthenticatedError("No principal belongs to this token; enrol one, or check the token");
  }

  async enrol(principal: string, token: string): Promise<void> {
    if (token.length < MINIMUM_TOKEN_LENGTH) {
      throw new InvalidRequestError(
        `The token for ${principal} has ${token.length} characters; use a random one of at least ${MINIMUM_TOKEN_LENGTH}`,
      );
    }
    check(principal.trim() !== "", "ml_principals_principal_check");
    const owner = this.#tables.principals.first((row) => row.token_sha256 === hashOf(token));
    if (owner !== null && owner.principal !== principal) {
      throw new ConflictError("Somebody else was first: the token belongs to another principal");
    }
    this.#tables.principals.put({ principal, token_sha256: hashOf(token) });
  }
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

export class InMemoryApprovals implements Approvals {
  readonly #tables: Tables;
  readonly #principals: Principals;

  constructor(tables: Tables, principals: Principals) {
    this.#tables = tables;
    this.#principals = principals;
  }

  async listValid(
    operationId: string,
    bound: { payload_hash: string; generation: number },
  ): Promise<Approval[]> {
    const valid = this.#tables.approvals.where(
      (row) =>
        row.operation_id === operationId &&
        row.payload_hash === bound.payload_hash &&
        row.generation === bound.generation &&
        this.#stillHolds(row),
    );
    return valid.map(publicApproval);
  }

  async grant(input: { token: string; operation_id: string; reason: string }): Promise<Approval> {
    const { principal } = await this.#principals.authenticate(input.token);
    const { payload_hash, generation } = this.#requireWaiting(input.operation_id, principal);
    const { approvals, clock } = this.#tables;
    const found = approvals.first(
      (row) =>
        row.operation_id === input.operation_id &&
        row.payload_hash === payload_hash &&
        row.generation === generation &&
        row.approver === principal &&
        row.revoked === null,
    );
    if (found !== null && this.#stillHolds(found)) return publicApproval(found);
    if (found !== null && found.used_at !== null) {
      throw new InvalidApprovalError(`approval ${found.approval_id} was used at ${found.used_at}`);
    }
    const granted: ApprovalRow = {
      approval_id: found?.approval_id ?? `approval_${randomUUID()}`,
      operation_id: input.operation_id,
      approver: principal,
      payload_hash,
      generation,
      reason: input.reason,
      granted_at: clock.now(),
      expires_at: clock.after(APPROVAL_SECONDS),
      used_at: null,
      revoked: null,
    };
    approvals.put(granted);
    return publicApproval(granted);
  }

  async revoke(input: { token: string; operation_id: string; reason: string }): Promise<Approval[]> {
    const { principal } = await this.#principals.authenticate(input.token);
    const { approvals, clock, operations } = this.#tables;
    operations.require(input.operation_id);
    const own = approvals.where(
      (row) => row.operation_id === input.operation_id && row.approver === principal,
    );
    const holding = own.filter((row) => this.#stillHolds(row));
    if (holding.length === 0) {
      throw new InvalidApprovalError(
        `${principal} has no approval of operation ${input.operation_id} to revoke: ${fateOf(own.at(-1))}`,
      );
    }
    check(input.reason.trim() !== "", "ml_approvals_revoked_whole");
    for (const row of holding) approvals.put({ ...row, revoked: { at: clock.now(), reason: input.reason } });
    return holding.map(publicApproval);
  }

  #requireWaiting(operationId: string, principal: string): { payload_hash: string; generation: number } {
    const operation = this.#tables.operations.get(operationId);
    if (operation === null)
      throw new NotFoundError(`Operation ${operationId} does not exist; claim it first`);
    const { status, plan, payload_hash, requested_by } = operation;
    if (status !== "awaiting_approval" || plan === null) {
      throw new InvalidApprovalError(
        `Operation ${operationId} waits for no approval: it is ${status}; approve one that is awaiting_approval`,
        { details: { operation_id: operationId, found: { status } } },
      );
    }
    if (sameName(requested_by, principal)) {
      throw new InvalidApprovalError(`${principal} requested operation ${operationId} and cannot approve it`);
    }
    return { payload_hash, generation: plan.generation };
  }

  #stillHolds({ used_at, revoked, expires_at }: ApprovalRow): boolean {
    return used_at === null && revoked === null && !this.#tables.clock.hasPassed(expires_at);
  }
}

function sameName(one: string, other: string): boolean {
  return one.trim().toLowerCase() === other.trim().toLowerCase();
}

function publicApproval({ approval_id, operation_id, approver }: ApprovalRow): Approval {
  return { approval_id, operation_id, approver };
}

function fateOf(last: ApprovalRow | undefined): string {
  if (last === undefined) return "there is none";
  if (last.used_at !== null) return `${last.approval_id} was used at ${last.used_at}`;
  if (last.revoked !== null) return `${last.approval_id} was revoked at ${last.revoked.at}`;
  return `${last.approval_id} expired at ${last.expires_at}`;
}
