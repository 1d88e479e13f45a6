import type { Actor, Grant, Origin, Role } from "../../domain/access/roles.ts";

export interface Approval {
  approval_id: string;
  operation_id: string;
  approver: string;
}

export interface Approvals {
  /**
   * Approvals of this operation that still hold for this payload and generation, are not by the requester, and whose
   * approvers may still approve it.
   */
  listValid(operationId: string, bound: { payload_hash: string; generation: number }): Promise<Approval[]>;
  /**
   * Grants an approval as the principal behind the token. Refused where it could not be used: the operation does not
   * wait, has waited too long, or its endpoint has moved on since it was planned.
   * @throws NotAuthenticatedError | NotPermittedError | InvalidApprovalError | NotFoundError
   */
  grant(input: { token: string; operation_id: string; reason: string }): Promise<Approval>;
  /**
   * Revokes the principal's approval of this operation, as long as it is not used.
   * @throws NotAuthenticatedError | InvalidApprovalError where none of theirs still holds | NotFoundError
   */
  revoke(input: { token: string; operation_id: string; reason: string }): Promise<Approval[]>;
}

export interface Enrolment {
  /** `operator` and `approver` unless given; a principal that is enrolled again keeps its roles where none are given. */
  roles?: readonly Role[];
  /** The roles are for this experiment; for all unless given. */
  experiment_id?: string | null;
  kind?: "person" | "machine";
  /** ISO 8601; the token does not expire unless given. */
  expires_at?: string | null;
  label?: string;
  /** True leaves the principal's other tokens in force. */
  beside?: boolean;
  by?: Actor;
}

export interface Principals {
  /** The token's last use is noted, to the minute. @throws NotAuthenticatedError */
  authenticate(token: string): Promise<{ principal: string }>;
  /** Stores a hash of the token only. Names that differ in case, blanks or Unicode's form are one principal. */
  enrol(principal: string, token: string, options?: Enrolment): Promise<{ principal: string }>;
}

/** Who may do what, as decisions read it. */
export interface Access {
  /** The roles that a principal has now; none for a name that is nobody's. */
  grantsOf(principal: string): Promise<Grant[]>;
  /** The principal behind a request; null where nobody is known by that name or that user. */
  personOf(requested_by: string, origin: Origin | null): Promise<string | null>;
  /** Writes a refusal of rights into the audit trail. */
  refused(entry: { who: string; right: string; subject: string; origin: Origin | null }): Promise<void>;
}
