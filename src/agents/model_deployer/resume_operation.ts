import { AgentError } from "../base/agent_error.ts";
import type { Capabilities } from "./capabilities.ts";
import { NotFoundError } from "./errors.ts";
import type { CallOptions } from "./ports.ts";
import type { Operation } from "./store_ports.ts";

/** How an operation that was left came to its end. */
export interface Resumption {
  operation_id: string;
  action: string;
  /** `finished`: what was asked for is done. `undone`: it failed, and its effects are taken back. `refused`: nothing was done. */
  outcome: "finished" | "undone" | "refused";
  /** What is done now, or why it is not; with each effect that could not be taken back. */
  reason: string;
}

export interface ResumeOptions extends CallOptions {
  /** Called with a sentence for each thing that begins. */
  onProgress?: (message: string) => void;
}

/**
 * Carries an operation to its end, from wherever its journal says that it stands, and says which end that was; one that
 * has ended before tells its end.
 * @throws NotFoundError | ApprovalRequiredError | ConflictError while somebody else is at work on it, and whatever
 * retryable error leaves it to be resumed again
 */
export async function resumeOperation(
  { parts, runner, planners }: Pick<Capabilities, "parts" | "runner" | "planners">,
  operationId: string,
  { signal, onProgress }: ResumeOptions,
): Promise<Resumption> {
  const { operations } = parts.database;
  const before = await operations.get(operationId);
  const planner = Object.entries(planners).find(([name]) => name === before?.action)?.[1];
  if (before === null || planner === undefined) {
    const what = before === null ? "does not exist" : `asks for ${before.action}, which nobody can carry out`;
    throw new NotFoundError(`Operation ${operationId} ${what}.`);
  }
  try {
    await runner.run(operationId, {
      signal,
      planner,
      onProgress: (_event, _step, message) => onProgress?.(message),
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
