import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { Change } from "../../../../agents/model_deployer/domain/changes.ts";
import type { Plan } from "../../../../agents/model_deployer/domain/plan.ts";
import {
  ConflictError,
  IdempotencyKeyReusedError,
  NotFoundError,
} from "../../../../agents/model_deployer/errors.ts";
import type {
  Lease,
  Operation,
  OperationJournal,
  RecordedStep,
} from "../../../../agents/model_deployer/store_ports.ts";
import { applyChanges } from "../changes/apply_changes.ts";
import { jsonObject } from "../table.ts";
import type { OperationRow, Tables } from "../tables.ts";
import { requireNewest } from "./leases.ts";
import { publicOperation } from "./operation_reader.ts";

type ClaimInput = Parameters<OperationJournal["claim"]>[0];
type FirstStep = NonNullable<Parameters<OperationJournal["begin"]>[3]>;
type Outcome = Parameters<OperationJournal["finish"]>[1];
type Status = Operation["status"];

const UNFINISHED: Status[] = ["claimed", "planned", "awaiting_approval", "carrying_out"];

export class InMemoryOperationJournal implements OperationJournal {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async claim(input: ClaimInput): Promise<Operation> {
    const { operations, clock } = this.#tables;
    const action_key = input.request_id === null ? this.#derivedKey(input) : `req:${input.request_id}`;
    const digest = createHash("sha256").update(action_key).digest("hex");
    const operation_id = `op_${digest.slice(0, 24)}`;
    const found = operations.get(operation_id);
    if (found === null) {
      const { payload_hash, request_id, action, requested_by } = input;
      const now = clock.now();
      const nothingYet = { plan: null, refusal: null, result: null, error: null };
      const unheld = { lease_name: null, lease_token: null, finished_at: null };
      const claimed = { operation_id, action_key, payload_hash, request_id, action, requested_by };
      const request = jsonObject(input.request);
      const status = "claimed" as const;
      const row = { ...claimed, request, status, ...nothingYet, ...unheld, created_at: now, updated_at: now };
      operations.insert(row);
      return publicOperation(row);
    }
    if (found.payload_hash === input.payload_hash) return publicOperation(found);
    throw new IdempotencyKeyReusedError(
      `request_id ${input.request_id} came before with another body; use a new one for a new request`,
      { details: { operation_id, expected: found.payload_hash, found: input.payload_hash } },
    );
  }

  async propose(operationId: string, plan: Plan): Promise<void> {
    const { operations } = this.#tables;
    const row = operations.get(operationId);
    if (row === null) throw unknown(operationId);
    requireStatus(row, ["claimed", "awaiting_approval"], "propose a plan for");
    this.#put({ ...row, status: "awaiting_approval", plan });
  }

  /** Idempotent for the plan that was begun; another plan for a begun operation is a conflict. */
  async begin(operationId: string, plan: Plan, lease: Lease | null, first?: FirstStep): Promise<void> {
    this.#tables.transaction(() => {
      const row = this.#openForWork(operationId, lease);
      if (row.status === "planned" || row.status === "carrying_out") return requireSamePlan(row, plan);
      const status = first === undefined ? "planned" : "carrying_out";
      const begun = this.#put({ ...row, status, plan });
      this.#apply(plan.intent, begun);
      if (first === undefined) return;
      this.#insertStep(operationId, first.step);
      this.#apply(first.changes, begun);
    });
  }

  /** Idempotent for each index: the first record counts, and its changes are not applied again. */
  async record(
    operationId: string,
    step: RecordedStep,
    changes: Change[],
    lease: Lease | null,
  ): Promise<void> {
    this.#tables.transaction(() => {
      const row = this.#openForWork(operationId, lease);
      requireStatus(row, ["planned", "carrying_out"], "record a step of");
      if (!this.#insertStep(operationId, step)) return;
      this.#apply(changes, this.#put({ ...row, status: "carrying_out" }));
    });
  }

  async finish(operationId: string, outcome: Outcome, changes: Change[], lease: Lease | null): Promise<void> {
    this.#tables.transaction(() => {
      const row = this.#openForWork(operationId, lease);
      if (outcome.status === "refused") requireStatus(row, ["claimed", "awaiting_approval"], "refuse");
      this.#apply(changes, row);
      this.#put({ ...row, ...columnsOf(outcome), finished_at: this.#tables.clock.now() });
    });
  }

  /** Numbered by the tries that have ended, so that an unfinished one is found and a finished one does not block. */
  #derivedKey({ payload_hash: hash }: ClaimInput): string {
    const finished = this.#tables.operations.where(
      (row) => row.payload_hash === hash && row.request_id === null && row.finished_at !== null,
    );
    return `auto:${hash}:${finished.length}`;
  }

  /** Checks the fence, and notes who works on the operation. */
  #openForWork(operationId: string, lease: Lease | null): OperationRow {
    const row = this.#tables.operations.get(operationId);
    if (row === null) throw unknown(operationId);
    requireStatus(row, UNFINISHED, "change");
    if (lease !== null) requireNewest(this.#tables, lease);
    return this.#put({ ...row, lease_name: lease?.name ?? null, lease_token: lease?.token ?? null });
  }

  #put(row: OperationRow): OperationRow {
    const changed = { ...row, updated_at: this.#tables.clock.now() };
    this.#tables.operations.put(changed);
    return changed;
  }

  #apply(changes: readonly Change[], { operation_id, payload_hash, requested_by, plan }: OperationRow): void {
    const generation = plan?.generation ?? null;
    applyChanges(changes, { tables: this.#tables, operation_id, payload_hash, requested_by, generation });
  }

  #insertStep(operation_id: string, step: RecordedStep): boolean {
    const { steps } = this.#tables;
    const found = steps.get(`${operation_id}/${step.index}`);
    if (found === null) {
      steps.insert({ ...step, result: jsonObject(step.result), operation_id });
      return true;
    }
    if (found.step === step.step) return false;
    throw new ConflictError(`Step ${step.index} of ${operation_id} is ${found.step}, not ${step.step}`, {
      details: { operation_id, expected: step.step, found: found.step },
    });
  }
}

function columnsOf(outcome: Outcome): Pick<OperationRow, "status"> & Partial<OperationRow> {
  switch (outcome.status) {
    case "succeeded":
      return { status: outcome.status, result: jsonObject(outcome.result) };
    case "refused":
      return { status: outcome.status, refusal: outcome.refusal };
    case "failed":
      return {
        status: outcome.status,
        error: { ...outcome.error, details: jsonObject(outcome.error.details) },
      };
  }
}

function unknown(operationId: string): NotFoundError {
  return new NotFoundError(`Operation ${operationId} does not exist; claim it first`);
}

function requireStatus({ operation_id: id, status }: OperationRow, expected: Status[], verb: string): void {
  if (expected.includes(status)) return;
  throw new ConflictError(
    `Cannot ${verb} operation ${id}: it is ${status}, not ${expected.join(" or ")}; read it and go on from there`,
    { details: { operation_id: id, expected: { status: expected }, found: { status } } },
  );
}

function requireSamePlan({ operation_id, plan }: OperationRow, wanted: Plan): void {
  if (plan !== null && isDeepStrictEqual(jsonObject(plan), jsonObject(wanted))) return;
  throw new ConflictError(`Operation ${operation_id} was begun with another plan; carry that one on`, {
    details: { operation_id, expected: "the stored plan", found: wanted.summary },
  });
}
