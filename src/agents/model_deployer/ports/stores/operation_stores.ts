import type { Plan, Refusal, Step } from "../../domain/plan.ts";
import type { Origin } from "../../domain/access/roles.ts";
import type { Change, ChangeOf } from "../../domain/changes.ts";

export interface Lease {
  /** Usually an endpoint's name. */
  name: string;
  holder: string;
  token: number;
}

export interface Leases {
  /**
   * `background` is for work without a request, from which any request takes the lease. `preempt` takes it from any
   * holder.
   * @throws ConflictError that names the holder and since when
   */
  acquire(
    name: string,
    options: { ttl_seconds: number; preempt: boolean; background?: boolean },
  ): Promise<Lease>;
  /** @throws ConflictError when the token is no longer the newest. */
  renew(lease: Lease, options: { ttl_seconds: number }): Promise<void>;
  /** Idempotent; a stale token releases nothing. */
  release(lease: Lease): Promise<void>;
}

/** `preparing` has changed nothing yet and is planned anew when it goes on; `planned` has no step recorded yet. */
export type OperationStatus =
  | "claimed"
  | "preparing"
  | "planned"
  | "awaiting_approval"
  | "carrying_out"
  | "succeeded"
  | "refused"
  | "failed";

export interface Operation {
  operation_id: string;
  action_key: string;
  payload_hash: string;
  action: string;
  requested_by: string;
  /** Null for what was asked for by an earlier version. */
  asked_from: Origin | null;
  /**
   * The principal behind the request: the token's, or the one whom the session's user of the operating system is. Null
   * where nobody is known.
   */
  person: string | null;
  request: Record<string, unknown>;
  status: OperationStatus;
  plan: Plan | null;
  refusal: Refusal | null;
  /** The caller's answer; null while unfinished. */
  result: Record<string, unknown> | null;
  error: { code: string; message: string; details: Record<string, unknown> } | null;
  created_at: string;
  /** When its wait for approvals ends; null for one that never waited. */
  waits_until: string | null;
}

export interface RecordedStep {
  index: number;
  /** `give_up` holds the error for which the steps before it are undone. */
  step: Step["step"] | "give_up";
  result: Record<string, unknown>;
}

export interface OperationJournal {
  /**
   * Finds or inserts the operation of this key.
   * @throws IdempotencyKeyReusedError when the key came before with another payload hash.
   */
  claim(input: {
    /** Null derives the key from the payload, so that a finished refusal or failure does not block a new attempt. */
    request_id: string | null;
    payload_hash: string;
    action: string;
    requested_by: string;
    asked_from?: Origin | null;
    request: Record<string, unknown>;
  }): Promise<Operation>;
  /**
   * Stores a plan that waits for approvals, so that approvers can read it, with who is told of it. The first call sets
   * how long it waits at most. Changes nothing else.
   */
  propose(
    operationId: string,
    plan: Plan,
    options: { wait_seconds: number; changes?: ChangeOf<"notify">[] },
  ): Promise<void>;
  /**
   * Stores the plan during its preparation, under a lease of the operation's own, so that the operation is resumed when
   * its process is gone. Changes nothing else.
   */
  prepare(operationId: string, plan: Plan, lease: Lease): Promise<void>;
  /**
   * Writes the plan and applies its intent, in one transaction under the lease; with it the record of a first step
   * that changes nothing but the database.
   * @returns false where the same plan had begun before, so that steps of it may be recorded
   * @throws ConflictError
   */
  begin(
    operationId: string,
    plan: Plan,
    lease: Lease | null,
    first?: { step: RecordedStep; changes: Change[] },
  ): Promise<boolean>;
  /** Records a step's result with the changes that belong to it, and returns the database's time. @throws ConflictError */
  record(operationId: string, step: RecordedStep, changes: Change[], lease: Lease | null): Promise<string>;
  /** The last transaction: applies the changes, stores the outcome and gives the lease back. @throws ConflictError */
  finish(
    operationId: string,
    outcome:
      | { status: "succeeded"; result: Record<string, unknown> }
      | { status: "refused"; refusal: Refusal }
      | { status: "failed"; error: NonNullable<Operation["error"]> },
    changes: Change[],
    lease: Lease | null,
  ): Promise<void>;
}

export interface OperationReader {
  get(operationId: string): Promise<Operation | null>;
  /** The operation with the database's time of the reading. */
  see(operationId: string): Promise<{ operation: Operation; now: string } | null>;
  /** In the order of their index. */
  steps(operationId: string): Promise<RecordedStep[]>;
  /**
   * Operations that have begun or are being prepared and that nobody works on, the one that was taken longest ago
   * first; taking one moves it to the end.
   */
  takeUnfinished(limit: number): Promise<Pick<Operation, "operation_id" | "status">[]>;
  /** Operations that have waited too long and have no approval; the oldest first. */
  listExpired(limit: number): Promise<Operation[]>;
}

export type SeenOperation = NonNullable<Awaited<ReturnType<OperationReader["see"]>>>;

export interface OutboxEntry {
  entry_id: string;
  topic: "registry_projection" | "episodic_memory" | "procedural_memory";
  dedupe_key: string;
  payload: Record<string, unknown>;
  attempts: number;
}

export interface Outbox {
  /** Undelivered entries whose time has come, oldest first, given to one caller for a while. */
  claim(limit: number): Promise<OutboxEntry[]>;
  delivered(entryId: string): Promise<void>;
  /** Sets the next try, later each time. */
  failed(entryId: string, reason: string): Promise<void>;
}
