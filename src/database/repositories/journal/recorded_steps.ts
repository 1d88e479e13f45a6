import { z } from "zod";
import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import type { RecordedStep } from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import { json } from "../../rows.ts";
import type { Queries } from "../../connection/transaction.ts";

const insertedRow = z.strictObject({ now: z.string() });
const stepRow = z.strictObject({ step: z.string(), now: z.string() });

export class RecordedBeforeError extends ConflictError {}

/** @returns the database's time @throws RecordedBeforeError where the operation has a step of this index */
export async function insertStep(tx: Queries, operationId: string, step: RecordedStep): Promise<string> {
  const [inserted] = await tx.query(
    insertedRow,
    `insert into ml_operation_steps (operation_id, step_index, step, result) values ($1, $2, $3, $4)
     on conflict do nothing returning clock_timestamp() as now`,
    [operationId, step.index, step.step, json(step.result)],
  );
  if (inserted !== undefined) return inserted.now;
  throw new RecordedBeforeError(`Step ${step.index} of ${operationId} is recorded already`);
}

/** @returns the database's time @throws ConflictError where another step has the index */
export async function requireSameStep(
  queries: Queries,
  operationId: string,
  { index, step }: RecordedStep,
): Promise<string> {
  const [found] = await queries.query(
    stepRow,
    `select step, clock_timestamp() as now from ml_operation_steps where operation_id = $1 and step_index = $2`,
    [operationId, index],
  );
  if (found?.step === step) return found.now;
  throw new ConflictError(`Step ${index} of ${operationId} is ${found?.step}, not ${step}`, {
    details: { operation_id: operationId, expected: step, found: found?.step },
  });
}
