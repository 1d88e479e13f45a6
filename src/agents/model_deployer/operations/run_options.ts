import type { Planner } from "../actions/planner.ts";
import type { Plan } from "../domain/plan.ts";
import type { CallOptions } from "../ports/call_options.ts";

export type OnProgress = (
  event: "under_way" | "step_started" | "step_done" | "step_undone",
  step: string | null,
  message: string,
) => void;

/** Under the plan's lease. */
export interface LeasedOptions extends RunOptions {
  /** Called when the last transaction has released the lease. */
  onGivenBack: () => void;
}

export interface RunOptions extends CallOptions {
  planner: Planner;
  onProgress: OnProgress;
  /** Called with the plan before its first step. */
  onPlan?: (plan: Plan) => void;
  /** Ends the wait for a preparation before the first step; the preparation itself goes on. */
  patience?: AbortSignal;
}
