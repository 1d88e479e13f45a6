import { AgentError } from "../../base/agent_error.ts";
import type { Planner } from "../actions/planner.ts";
import type { OperationRunner } from "./operation_runner.ts";
import type { Parts } from "../ports/parts.ts";
import { NotFoundError } from "../errors.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { Operation } from "../ports/stores/operation_stores.ts";

/** How an interrupted operation ended. */
export interface Resumption {
  operation_id: string;
  action: string;
  /**
   * `finished`: the request was carried out. `undone`: it failed, and its effects are undone. `refused`: nothing was
   * done.
   */
  outcome: "finished" | "undone" | "refused";
  /** The outcome as a sentence, or the reason for none; with each effect that could not be undone. */
  reason: string;
}

export interface ResumeOptions extends CallOptions {
  /** Called with a sentence for each thing that begins. */
  onProgress?: (message: string) => void;
  /** Called with a sentence now and then during work that takes long. */
  onUnderWay?: (message: string) => void;
  /** Ends the wait for a preparation before the first step; the preparation itself goes on. */
  patience?: AbortSignal;
}

interface Resuming {
  parts: Pick<Parts, "database">;
  runner: OperationRunner;
  planners: Readonly<Record<string, Planner>>;
}

/**
 * Carries an operation to its end, from its state in the journal, and returns that end; one that has ended already
 * returns its own.
 * @throws NotFoundError | ApprovalRequiredError | ConflictError while another process works on it, and any retryable
 * error, which leaves it to be resumed again
 */
export async function resumeOperation(
  { parts, runner, planners }: Resuming,
  operationId: string,
  { signal, patience, onProgress, onUnderWay }: ResumeOptions,
): Promise<Resumption> {
  const { operations } = parts.database;
  const seen = await operations.see(operationId);
  if (seen === null) throw new NotFoundError(`Operation ${operationId} does not exist.`);
  const before = seen.operation;
  const planner = Object.entries(planners).find(([name]) => name === before.action)?.[1];
  if (planner === undefined) {
    throw new NotFoundError(
      `Operation ${operationId} asks for ${before.action}, which nobody can carry out.`,
    );
  }
  try {
    await runner.run(seen, {
      signal,
      planner,
      ...(patience && { patience }),
      onProgress: (event, _step, message) => {
        onProgress?.(message);
        if (event === "under_way") onUnderWay?.(message);
      },
    });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const failed = await operations.get(operationId);
    if (failed === null || !hasEnded(failed)) throw error;
    return resumptionOf(failed);
  }
  return resumptionOf((await operations.get(operationId)) ?? before);
}

const hasEnded = ({ status }: Operation): boolean =>
  status === "succeeded" || status === "failed" || status === "refused";

function resumptionOf({ operation_id, action, plan, refusal, error }: Operation): Resumption {
  if (refusal !== null) return { operation_id, action, outcome: "refused", reason: refusal.sentence };
  if (error === null)
    return { operation_id, action, outcome: "finished", reason: plan?.summary ?? "It is done." };
  const stuck = error.details["undo_failures"];
  const left = Array.isArray(stuck) && stuck.length > 0 ? ` Not taken back: ${stuck.join("; ")}` : "";
  return { operation_id, action, outcome: "undone", reason: `${error.message}${left}` };
}
