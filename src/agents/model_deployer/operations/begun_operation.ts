import { AgentError } from "../../base/agent_error.ts";
import { conclude } from "../actions/conclude.ts";
import type { Answer } from "../domain/answer.ts";
import type { Plan } from "../domain/plan.ts";
import { ConflictError, DeadlineExceededError, ServiceUnavailableError } from "../errors.ts";
import type { Database } from "../ports/parts.ts";
import type { Lease, Operation, RecordedStep } from "../ports/stores/operation_stores.ts";
import { answerOfAnotherOperation } from "./endings/earlier_answer.ts";
import { giveUpOperation } from "./endings/given_up_operation.ts";
import { storedOutcome } from "./endings/operation_outcome.ts";
import { isKeyed } from "./endings/refused_operation.ts";
import { asEnd } from "./endings/stored_errors.ts";
import { deadlineError } from "./held_lease.ts";
import type { LeasedOptions } from "./run_options.ts";
import type { StepExecutor } from "./steps/step_executor.ts";
import { isCut, type TakenSteps, takeSteps } from "./steps/take_steps.ts";

export interface Begun {
  plan: Plan;
  /** Null where they have yet to be read from the journal. */
  recorded: RecordedStep[] | null;
}

interface NeededParts {
  database: Database;
  executor: StepExecutor;
  lease_seconds: number;
}

/**
 * Carries an operation whose intent is written to its end: its answer, or what could not be done undone.
 * @param failure of the preparation, which is the operation's
 */
export async function carryOut(
  parts: NeededParts,
  operation: Operation,
  { plan, recorded, failure }: Begun & { failure: AgentError | null },
  lease: Lease,
  options: LeasedOptions,
): Promise<Answer> {
  const { database } = parts;
  const { operation_id } = operation;
  try {
    if (failure !== null) throw failure;
    const taken = await takeSteps(parts, { operation_id, plan, recorded }, lease, options);
    return await finish(database, operation, { plan, taken }, lease, options);
  } catch (error) {
    if (isCut(options.signal)) {
      throw error instanceof DeadlineExceededError ? error : deadlineError(plan.summary, "its end", error);
    }
    const stands =
      error instanceof ConflictError
        ? await answerOfAnotherOperation(operation, plan, database, options)
        : null;
    if (stands !== null) {
      const outcome = { status: "succeeded" as const, result: { ...stands } };
      await database.journal.finish(operation_id, outcome, [], lease);
      return stands;
    }
    if (!isFinal(error, plan)) throw error;
    const told = asEnd(error, plan.next_if_failed, isKeyed(operation));
    await giveUpOperation(parts, operation, plan, lease, told);
    throw told;
  }
}

async function finish(
  database: Database,
  operation: Operation,
  { plan, taken: { steps, done_at } }: { plan: Plan; taken: TakenSteps },
  lease: Lease,
  { onGivenBack }: LeasedOptions,
): Promise<Answer> {
  const { operation_id } = operation;
  const now = done_at ?? (await database.clock.now());
  const { changes, answer } = conclude(plan, steps, {
    now,
    started_at: operation.created_at,
    operation_id,
    requested_by: operation.requested_by,
  });
  try {
    const outcome = { status: "succeeded" as const, result: { ...answer } };
    await database.journal.finish(operation_id, outcome, changes, lease);
    onGivenBack();
    return answer;
  } catch (error) {
    return answerAfterLostReply(database, operation_id, error);
  }
}

/** The last transaction may be committed though its reply was lost; the stored outcome is the answer then. */
async function answerAfterLostReply(
  database: Database,
  operationId: string,
  error: unknown,
): Promise<Answer> {
  if (!(error instanceof ServiceUnavailableError)) throw error;
  const operation = await database.operations.get(operationId);
  const stored = operation?.status === "succeeded" ? storedOutcome(operation) : null;
  if (stored === null) throw error;
  return stored;
}

/** A conflict is final for its operation: the state that it was planned for is gone. */
export function isFinal(error: unknown, { tries_once }: Plan): error is AgentError {
  if (!(error instanceof AgentError)) return false;
  return tries_once === true || !error.retryable || error instanceof ConflictError;
}
