import { Overwrite } from "@langchain/langgraph";
import {
  type ModelDeployerStateValue,
  type ModelDeployerUpdate,
  noAnswer,
  requestStateSchema,
} from "../state.ts";
import { validateRequest } from "./validate_request.ts";

/** What belongs to this agent in a state that other agents share; an earlier answer may have left a field at null. */
export function pickRequest(
  state: ModelDeployerStateValue | Record<string, unknown>,
): Record<string, unknown> {
  const own = Object.keys(requestStateSchema.shape);
  return Object.fromEntries(
    Object.entries(state).filter(
      ([key, value]) => own.includes(key) && value !== undefined && value !== null,
    ),
  );
}

/** The validated request; whatever an earlier run on the same thread answered is cleared. */
export function validatedUpdate(state: Record<string, unknown>): ModelDeployerUpdate {
  return {
    ...validateRequest(state),
    status: "in_progress",
    ...noAnswer,
    operation_status: null,
    warnings: new Overwrite([]),
  };
}
