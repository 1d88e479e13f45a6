import { z } from "zod";
import { AgentError } from "../../../base/agent_error.ts";
import type { Plan, Step } from "../../domain/plan.ts";
import type { Database } from "../../ports/parts.ts";
import type { Lease, RecordedStep } from "../../ports/stores/operation_stores.ts";
import { restoreError } from "../endings/stored_errors.ts";
import type { StepExecutor } from "./step_executor.ts";

/** Undo steps are recorded at indexes from here on, behind the plan's own. */
const UNDO_INDEX = 1000;
const GIVE_UP_INDEX = UNDO_INDEX - 1;
const UNDO_DEADLINE_MS = 20_000;

/**
 * Records that the operation is given up, and undoes the recorded steps, the last one first, on a deadline of its own,
 * since the caller's may be over.
 * @returns a sentence for each undo that failed
 * @throws ConflictError when the lease is lost, before anything is undone that belongs to somebody else by now
 */
export async function undoSteps(
  parts: { database: Database; executor: StepExecutor; lease_seconds: number },
  operationId: string,
  plan: Plan,
  lease: Lease,
  failure: AgentError,
): Promise<string[]> {
  const keepLease = () => parts.database.leases.renew(lease, { ttl_seconds: parts.lease_seconds });
  await keepLease();
  const { code, message, details } = failure;
  const givenUp = { index: GIVE_UP_INDEX, step: "give_up" as const, result: { code, message, details } };
  await parts.database.journal.record(operationId, givenUp, [], lease);
  const done = new Set((await parts.database.operations.steps(operationId)).map((step) => step.index));
  const failures: string[] = [];
  let routeIsStuck = false;
  const signal = AbortSignal.timeout(UNDO_DEADLINE_MS);
  for (const { index, undo } of undosOf(plan, done)) {
    for (const [offset, step] of undo.entries()) {
      const undoIndex = UNDO_INDEX + index * 10 + offset;
      if (done.has(undoIndex)) continue;
      await keepLease();
      if (step.step === "stop_server" && routeIsStuck) {
        failures.push(
          `stop_server: ${step.deployment_id} was left running, for the router may still send to it`,
        );
        continue;
      }
      const failed = await undoStep(parts, { operationId, lease, index: undoIndex, signal }, step);
      if (failed === null) continue;
      failures.push(`${step.step}: ${failed.message}`);
      routeIsStuck ||= step.step === "want_route" || step.step === "apply_route";
      break;
    }
  }
  return failures;
}

/** Carries one step out and records it; what kept it from that, or null. */
async function undoStep(
  { executor, database }: { database: Database; executor: StepExecutor },
  {
    operationId,
    lease,
    index,
    signal,
  }: { operationId: string; lease: Lease; index: number; signal: AbortSignal },
  step: Step,
): Promise<AgentError | null> {
  try {
    const { result, changes } = await executor.execute(step, { signal });
    await database.journal.record(operationId, { index, step: step.step, result }, changes, lease);
    return null;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error;
  }
}

/** The undo of each step that was begun, the last step first. */
function undosOf(plan: Plan, done: ReadonlySet<number>): { index: number; undo: Step[] }[] {
  const begun = plan.steps.flatMap(({ undo }, index) => {
    if (done.has(index)) return [{ index, undo }];
    const isBegun = done.has(index - 1) || index === 0;
    return isBegun ? [{ index, undo: undo.filter(isHarmlessUnlessDone) }] : [];
  });
  return begun.reverse();
}

const failureSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
});

/** The error for which the operation was given up, if it was: a resumed run undoes the rest and goes no further. */
export function recordedFailure(steps: readonly RecordedStep[]): AgentError | null {
  const givenUp = steps.find(({ step }) => step === "give_up");
  return givenUp === undefined ? null : restoreError(failureSchema.parse(givenUp.result));
}

/**
 * A step that was begun and not recorded may have had its effect; its undo is only safe where it does no harm
 * otherwise, as ending a server or giving it back.
 */
function isHarmlessUnlessDone(step: Step): boolean {
  return step.step === "stop_server" || step.step === "give_back_server";
}
