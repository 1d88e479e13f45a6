import { z } from "zod";
import type { Change } from "../../../agents/model_deployer/domain/changes.ts";
import type { Plan, Refusal } from "../../../agents/model_deployer/domain/plan.ts";
import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import type {
  Lease,
  Operation,
  OperationJournal,
  RecordedStep,
} from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import { applyChanges } from "../../apply_changes.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow, type Queries, type Transaction } from "../../connection/transaction.ts";
import { json } from "../../rows.ts";
import { releaseLease, requireNewest } from "./leases.ts";
import { claimOperation, type ClaimInput } from "./operation_claims.ts";
import { insertStep, RecordedBeforeError, requireSameStep } from "./recorded_steps.ts";
import {
  lockOperation,
  lockUnfinished,
  type LockedOperation,
  requireNoneGoesBack,
} from "./operation_rows.ts";

const sameRow = z.strictObject({ same: z.boolean() });

type FirstStep = NonNullable<Parameters<OperationJournal["begin"]>[3]>;
type Outcome = Parameters<OperationJournal["finish"]>[1];

const NOT_BEGUN: Operation["status"][] = ["claimed", "preparing", "awaiting_approval"];

/** The unit of idempotency: an operation's intent, its steps and its outcome, each written in one transaction. */
export class OperationsJournal implements OperationJournal {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async claim(input: ClaimInput): Promise<Operation> {
    return claimOperation(this.#database, input);
  }

  async propose(
    operationId: string,
    plan: Plan,
    { wait_seconds, changes = [] }: Parameters<OperationJournal["propose"]>[2],
  ): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const operation = await lockOperation(tx, operationId);
      requireStatus(operation, NOT_BEGUN, "propose a plan for");
      await tx.query(
        anyRow,
        `update ml_operations set status = 'awaiting_approval', plan = ${planToPropose("$2")}, updated_at = clock_timestamp(),
           waits_until = coalesce(waits_until, clock_timestamp() + make_interval(secs => $3))
         where operation_id = $1`,
        [operationId, json(plan), wait_seconds],
      );
      await applyChanges(tx, changes, operation.context);
    });
  }

  async prepare(operationId: string, plan: Plan, lease: Lease): Promise<void> {
    await this.#database.transaction(async (tx) => {
      requireStatus(await openForWork(tx, operationId, lease), NOT_BEGUN, "prepare");
      await tx.query(
        anyRow,
        `update ml_operations set status = 'preparing', plan = ${planToPropose("$2")}, updated_at = clock_timestamp()
         where operation_id = $1`,
        [operationId, json(plan)],
      );
    });
  }

  /** Idempotent for the plan that was begun; another plan for a begun operation is a conflict. */
  async begin(operationId: string, plan: Plan, lease: Lease | null, first?: FirstStep): Promise<boolean> {
    return this.#database.transaction(async (tx) => {
      const operation = await openForWork(tx, operationId, lease);
      if (operation.status === "planned" || operation.status === "carrying_out") {
        await requireSamePlan(tx, operationId, plan);
        return false;
      }
      if (lease !== null && !plan.preempts) await requireNoneGoesBack(tx, operationId, lease.name);
      const context = { ...operation.context, generation: plan.generation };
      await tx.together(
        () => setPlan(tx, operationId, first === undefined ? "planned" : "carrying_out", plan),
        () => applyChanges(tx, plan.intent, context),
        async () => first && insertStep(tx, operationId, first.step),
        async () => first && applyChanges(tx, first.changes, context),
      );
      return true;
    });
  }

  /** Idempotent for each index: the first record counts, and its changes are not applied again. */
  async record(
    operationId: string,
    step: RecordedStep,
    changes: Change[],
    lease: Lease | null,
  ): Promise<string> {
    try {
      return await this.#database.transaction(async (tx) => {
        const operation = await openForWork(tx, operationId, lease);
        requireStatus(operation, ["planned", "carrying_out"], "record a step of");
        return tx.together(
          () => insertStep(tx, operationId, step),
          () => applyChanges(tx, changes, operation.context),
          async () => operation.status === "carrying_out" || setCarryingOut(tx, operationId),
        );
      });
    } catch (error) {
      if (!(error instanceof RecordedBeforeError)) throw error;
      return requireSameStep(this.#database, operationId, step);
    }
  }

  async finish(operationId: string, outcome: Outcome, changes: Change[], lease: Lease | null): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const operation = await openForWork(tx, operationId, lease);
      if (outcome.status === "refused") requireStatus(operation, NOT_BEGUN, "refuse");
      const { result, refusal, error } = columnsOf(outcome);
      await tx.together(
        () => applyChanges(tx, changes, operation.context),
        () =>
          tx.query(
            anyRow,
            `update ml_operations set status = $2, result = $3, refusal = $4, error = $5,
               finished_at = clock_timestamp(), updated_at = clock_timestamp() where operation_id = $1`,
            [operationId, outcome.status, json(result), json(refusal), json(error)],
          ),
        async () => lease && releaseLease(tx, lease),
      );
    });
  }
}

function columnsOf(outcome: Outcome): {
  result: Record<string, unknown> | null;
  refusal: Refusal | null;
  error: Operation["error"];
} {
  const none = { result: null, refusal: null, error: null };
  switch (outcome.status) {
    case "succeeded":
      return { ...none, result: outcome.result };
    case "refused":
      return { ...none, refusal: outcome.refusal };
    case "failed":
      return { ...none, error: outcome.error };
  }
}

/**
 * SQL for the plan of an operation that has not begun. Once approvals are waited for, what approvers were shown stands
 * until the endpoint moves on; the number of approvals follows the policy.
 */
function planToPropose(next: string): string {
  return `case when waits_until is null or (${next}::jsonb ->> 'generation')::int > (plan ->> 'generation')::int then ${next}::jsonb
    else plan || jsonb_build_object('approvals_needed', ${next}::jsonb -> 'approvals_needed') end`;
}

/** Locks the operation, checks the fence, and notes who works on it. */
async function openForWork(
  tx: Transaction,
  operationId: string,
  lease: Lease | null,
): Promise<LockedOperation> {
  return tx.together(
    async () => {
      const operation = await lockUnfinished(tx, operationId, lease);
      requireStatus(operation, [...NOT_BEGUN, "planned", "carrying_out"], "change");
      return operation;
    },
    async () => lease && requireNewest(tx, lease),
  );
}

function requireStatus(operation: LockedOperation, expected: Operation["status"][], verb: string): void {
  if (expected.includes(operation.status)) return;
  const id = operation.context.operation_id;
  throw new ConflictError(
    `Cannot ${verb} operation ${id}: it is ${operation.status}, not ${expected.join(" or ")}; read it and go on from there`,
    { details: { operation_id: id, expected: { status: expected }, found: { status: operation.status } } },
  );
}

async function setPlan(
  tx: Queries,
  operationId: string,
  status: Operation["status"],
  plan: Plan,
): Promise<void> {
  await tx.query(
    anyRow,
    "update ml_operations set status = $2, plan = $3, updated_at = clock_timestamp() where operation_id = $1",
    [operationId, status, json(plan)],
  );
}

async function requireSamePlan(tx: Queries, operationId: string, plan: Plan): Promise<void> {
  const [row] = await tx.query(
    sameRow,
    "select plan = $2::jsonb as same from ml_operations where operation_id = $1",
    [operationId, json(plan)],
  );
  if (row?.same === true) return;
  throw new ConflictError(`Operation ${operationId} was begun with another plan; carry that one on`, {
    details: { operation_id: operationId, expected: "the stored plan", found: plan.summary },
  });
}

async function setCarryingOut(tx: Queries, operationId: string): Promise<void> {
  await tx.query(anyRow, "update ml_operations set status = 'carrying_out' where operation_id = $1", [
    operationId,
  ]);
}
