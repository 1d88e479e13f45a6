import { AgentError } from "../base/agent_error.ts";
import type { Plan, Step } from "./domain/plan.ts";
import type { Database } from "./parts.ts";
import type { Lease } from "./store_ports.ts";
import type { StepExecutor } from "./step_executor.ts";

/** Undo steps are recorded behind the plan's own. */
const UNDO_INDEX = 1000;
const UNDO_DEADLINE_MS = 20_000;

/**
 * Undoes the recorded steps, the last one first, on a deadline of its own: the caller's may be over.
 * @returns a sentence for each undo that failed
 * @throws ConflictError when the lease is lost, before anything is undone that is somebody else's by now
 */
export async function undoSteps(
  parts: { database: Database; executor: StepExecutor; lease_seconds: number },
  operationId: string,
  plan: Plan,
  lease: Lease,
): Promise<string[]> {
  const done = new Set((await parts.database.operations.steps(operationId)).map((step) => step.index));
  const begun = plan.steps.flatMap((planned, index) => {
    const started = done.has(index) || done.has(index - 1) || index === 0;
    return started
      ? [{ index, undo: done.has(index) ? planned.undo : planned.undo.filter(isHarmlessUnlessDone) }]
      : [];
  });
  const failures: string[] = [];
  let routeIsStuck = false;
  const keepLease = () => parts.database.leases.renew(lease, { ttl_seconds: parts.lease_seconds });
  await keepLease();
  const signal = AbortSignal.timeout(UNDO_DEADLINE_MS);
  for (const { index, undo } of begun.reverse()) {
    for (const [offset, step] of undo.entries()) {
      await keepLease();
      if (step.step === "stop_server" && routeIsStuck) {
        failures.push(
          `stop_server: ${step.deployment_id} was left running, for the router may still send to it`,
        );
        continue;
      }
      try {
        const { result, changes } = await parts.executor.execute(step, { signal });
        const record = { index: UNDO_INDEX + index * 10 + offset, step: step.step, result };
        await parts.database.journal.record(operationId, record, changes, lease);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        failures.push(`${step.step}: ${error.message}`);
        routeIsStuck ||= step.step === "want_route" || step.step === "apply_route";
        break;
      }
    }
  }
  return failures;
}

/** A step that was begun and not recorded may have had its effect; ending a server is right in either case. */
function isHarmlessUnlessDone(step: Step): boolean {
  return step.step === "stop_server";
}
