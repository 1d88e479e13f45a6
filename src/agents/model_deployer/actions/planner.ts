import type { Decision } from "../domain/plan.ts";
import type { Action, ActionRequest, DecisionContext } from "../domain/requests.ts";
import { InvalidDeploymentActionError } from "../errors.ts";
import type { CallOptions } from "../ports/call_options.ts";

type RequestOf<A extends Action> = Extract<ActionRequest, { action: A }>;
type Decide<A extends Action> = (
  request: RequestOf<A>,
  context: DecisionContext,
  options: PlanOptions,
) => Promise<Decision>;

function isFor<A extends Action>(request: ActionRequest, action: A): request is RequestOf<A> {
  return request.action === action;
}

/** A planner for one action; the journal's request of another action is refused. */
export function plannerFor<A extends Action>(action: A, decide: Decide<A>): Planner {
  return async (request, context, options) => {
    if (isFor(request, action)) return decide(request, context, options);
    throw new InvalidDeploymentActionError(
      `The operation asks for ${request.action} and was handed to ${action}; resume it by its own action.`,
    );
  };
}

export interface PlanOptions extends CallOptions {
  /** A dry run: facts are read, and nothing is written down, not even evidence. */
  read_only?: boolean;
}

export type Planner = (
  request: ActionRequest,
  context: DecisionContext,
  options: PlanOptions,
) => Promise<Decision>;
