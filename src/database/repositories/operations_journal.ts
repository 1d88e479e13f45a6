import { createHash } from "node:crypto";
import { z } from "zod";
import type { Change } from "../../agents/model_deployer/domain/changes.ts";
import type { Plan, Refusal } from "../../agents/model_deployer/domain/plan.ts";
import { ConflictError, IdempotencyKeyReusedError } from "../../agents/model_deployer/errors.ts";
import type {
  Lease,
  Operation,
  OperationJournal,
  RecordedStep,
} from "../../agents/model_deployer/store_ports.ts";
import { applyChanges } from "../apply_changes.ts";
import { anyRow, type Database, type Queries } from "../pool.ts";
import { json } from "../rows.ts";
import { requireNewest } from "./leases.ts";
import {
  lockOperation,
  lockUnfinished,
  operationColumns,
  operationRow,
  type LockedOperation,
} from "./operation_rows.ts";

type ClaimInput = Parameters<OperationJournal["claim"]>[0];
type FirstStep = NonNullable<Parameters<OperationJournal["begin"]>[3]>;
type Outcome = Parameters<OperationJournal["finish"]>[1];

/** The unit of idempotency: an operation's intent, its steps and its outcome, each written in one transaction. */
export class OperationsJournal implements OperationJournal {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async claim(input: ClaimInput): Promise<Operation> {
    const key = input.request_id === null ? await this.#derivedKey(input) : `req:${input.request_id}`;
    const operationId = `op_${createHash("sha256").update(key).digest("hex").slice(0, 24)}`;
    const [inserted] = await this.#database.query(
      operationRow,
      `insert into ml_operations
         (operation_id, action_key, payload_hash, request_id, action, requested_by, request)
       values ($1, $2, $3, $4, $5, $6, $7)
       on conflict do nothing returning ${operationColumns}`,
      [
        operationId,
        key,
        input.payload_hash,
        input.request_id,
        input.action,
        input.requested_by,
        json(input.request),
      ],
    );
    if (inserted !== undefined) return inserted;
    const [operation] = await this.#database.query(
      operationRow,
      `select ${operationColumns} from ml_operations where action_key = $1`,
      [key],
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

  /** Numbered by the tries that have ended, so that an unfinished one is found and a finished one does not block. */
  async #derivedKey({ payload_hash: hash }: ClaimInput): Promise<string> {
    const [row] = await this.#database.query(
      z.strictObject({ finished: z.int() }),
      `select count(*) as finished from ml_operations
       where payload_hash = $1 and request_id is null and finished_at is not null`,
      [hash],
    );
    return `auto:${hash}:${row?.finished ?? 0}`;
  }

  async propose(operationId: string, plan: Plan): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const operation = await lockOperation(tx, operationId);
      requireStatus(operation, ["claimed", "awaiting_approval"], "propose a plan for");
      await setPlan(tx, operationId, "awaiting_approval", plan);
    });
  }

  /** Idempotent for the plan that was begun; another plan for a begun operation is a conflict. */
  async begin(operationId: string, plan: Plan, lease: Lease | null, first?: FirstStep): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const operation = await openForWork(tx, operationId, lease);
      if (operation.status === "planned" || operation.status === "carrying_out") {
        return requireSamePlan(tx, operationId, plan);
      }
      await setPlan(tx, operationId, first === undefined ? "planned" : "carrying_out", plan);
      const context = { ...operation.context, generation: plan.generation };
      await applyChanges(tx, plan.intent, context);
      if (first === undefined) return;
      await insertStep(tx, operationId, first.step);
      await applyChanges(tx, first.changes, context);
    });
  }

  /** Idempotent for each index: the first record counts, and its changes are not applied again. */
  async record(
    operationId: string,
    step: RecordedStep,
    changes: Change[],
    lease: Lease | null,
  ): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const operation = await openForWork(tx, operationId, lease);
      requireStatus(operation, ["planned", "carrying_out"], "record a step of");
      if (!(await insertStep(tx, operationId, step))) return;
      await applyChanges(tx, changes, operation.context);
      if (operation.status === "carrying_out") return;
      await tx.query(anyRow, "update ml_operations set status = 'carrying_out' where operation_id = $1", [
        operationId,
      ]);
    });
  }

  async finish(operationId: string, outcome: Outcome, changes: Change[], lease: Lease | null): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const operation = await openForWork(tx, operationId, lease);
      if (outcome.status === "refused") requireStatus(operation, ["claimed", "awaiting_approval"], "refuse");
      await applyChanges(tx, changes, operation.context);
      const { result, refusal, error } = columnsOf(outcome);
      await tx.query(
        anyRow,
        `update ml_operations set status = $2, result = $3, refusal = $4, error = $5,
           finished_at = clock_timestamp(), updated_at = clock_timestamp() where operation_id = $1`,
        [operationId, outcome.status, json(result), json(refusal), json(error)],
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

/** Locks the operation, checks the fence, and notes who works on it. */
async function openForWork(tx: Queries, operationId: string, lease: Lease | null): Promise<LockedOperation> {
  const operation = await lockUnfinished(tx, operationId, lease);
  requireStatus(operation, ["claimed", "planned", "awaiting_approval", "carrying_out"], "change");
  if (lease !== null) await requireNewest(tx, lease);
  return operation;
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
    z.strictObject({ same: z.boolean() }),
    "select plan = $2::jsonb as same from ml_operations where operation_id = $1",
    [operationId, json(plan)],
  );
  if (row?.same === true) return;
  throw new ConflictError(`Operation ${operationId} was begun with another plan; carry that one on`, {
    details: { operation_id: operationId, expected: "the stored plan", found: plan.summary },
  });
}

async function insertStep(tx: Queries, operationId: string, step: RecordedStep): Promise<boolean> {
  const stepRow = z.strictObject({ step: z.string() });
  const inserted = await tx.query(
    stepRow,
    `insert into ml_operation_steps (operation_id, step_index, step, result) values ($1, $2, $3, $4)
     on conflict do nothing returning step`,
    [operationId, step.index, step.step, json(step.result)],
  );
  if (inserted.length > 0) return true;
  const [found] = await tx.query(
    stepRow,
    "select step from ml_operation_steps where operation_id = $1 and step_index = $2",
    [operationId, step.index],
  );
  if (found?.step === step.step) return false;
  throw new ConflictError(`Step ${step.index} of ${operationId} is ${found?.step}, not ${step.step}`, {
    details: { operation_id: operationId, expected: step.step, found: found?.step },
  });
}
