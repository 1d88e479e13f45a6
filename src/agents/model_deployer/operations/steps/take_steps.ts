import { secondsText } from "../../../base/deadline.ts";
import type { Plan, PlannedStep } from "../../domain/plan.ts";
import { ConflictError } from "../../errors.ts";
import { deadlineError } from "../held_lease.ts";
import type { RunOptions } from "../run_options.ts";
import type { Database } from "../../ports/parts.ts";
import type { StepExecutor } from "./step_executor.ts";
import type { Lease, RecordedStep } from "../../ports/stores/operation_stores.ts";
import { recordedFailure } from "./undo_steps.ts";

interface Parts {
  database: Database;
  executor: StepExecutor;
}

export interface TakenSteps {
  /** All that are recorded, in their order. */
  steps: RecordedStep[];
  /** The database's time at the last of them; null where none was left to take. */
  done_at: string | null;
}

/**
 * Takes the steps that are not recorded yet, and records each.
 * @param begun its `recorded` steps are read where they are null
 * @throws DeadlineExceededError that names the step that was cut, and whatever a step or its record raises
 */
export async function takeSteps(
  parts: Parts,
  begun: { operation_id: string; plan: Plan; recorded: RecordedStep[] | null },
  lease: Lease,
  options: RunOptions,
): Promise<TakenSteps> {
  const { operation_id: operationId, plan } = begun;
  const recorded = begun.recorded ?? (await parts.database.operations.steps(operationId));
  const failure = recordedFailure(recorded);
  if (failure !== null) throw failure;
  const done = new Set(recorded.map((step) => step.index));
  const steps = [...recorded];
  let done_at: string | null = null;
  for (const [index, planned] of plan.steps.entries()) {
    if (done.has(index)) continue;
    options.signal.throwIfAborted();
    const name = planned.do.step;
    options.onProgress("step_started", name, `${name} begins`);
    const begunAt = performance.now();
    try {
      const taken = await takeStep(parts, operationId, { index, planned }, lease, options);
      steps.push(taken.step);
      done_at = taken.now;
    } catch (error) {
      if (!isCut(options.signal)) throw error;
      throw deadlineError(plan.summary, `${name} after ${secondsText(performance.now() - begunAt)}`, error);
    }
    options.onProgress("step_done", name, `${name} is done`);
  }
  return { steps, done_at };
}

async function takeStep(
  { database, executor }: Parts,
  operationId: string,
  { index, planned }: { index: number; planned: PlannedStep },
  lease: Lease,
  options: RunOptions,
): Promise<{ step: RecordedStep; now: string }> {
  const { step: name } = planned.do;
  const onProgress = (line: string) => options.onProgress("under_way", name, line);
  const { result, changes } = await executor.execute(planned.do, { signal: options.signal, onProgress });
  const step = { index, step: planned.do.step, result };
  return {
    step,
    now: await database.journal.record(operationId, step, [...changes, ...planned.then], lease),
  };
}

/** Whether the deadline ended the work, and not the loss of the lease to somebody else. */
export function isCut(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof ConflictError);
}
