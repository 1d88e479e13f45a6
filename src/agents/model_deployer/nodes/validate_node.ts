import { Overwrite } from "@langchain/langgraph";
import {
  type ModelDeployerStateValue,
  type ModelDeployerUpdate,
  noAnswer,
  requestStateSchema,
} from "../state/state.ts";
import { validateRequest } from "./validate_request.ts";

/** This agent's fields in a state that other agents share; an earlier answer may have left a field at null. */
export function pickRequest(
  state: Partial<ModelDeployerStateValue> | Record<string, unknown>,
): Record<string, unknown> {
  const own = Object.keys(requestStateSchema.shape);
  return Object.fromEntries(
    Object.entries(state).filter(
      ([key, value]) => own.includes(key) && value !== undefined && value !== null,
    ),
  );
}

/**
 * The validated request; whatever an earlier run on the same thread answered is cleared. On a fresh thread there is
 * nothing to clear, and nothing is written for it: a checkpointer stores each field before the action begins.
 */
export function validatedUpdate(state: Partial<ModelDeployerStateValue>): ModelDeployerUpdate {
  const validated = validateRequest(pickRequest(state));
  const cleared: ModelDeployerUpdate = { ...noAnswer, operation_status: null, warnings: new Overwrite([]) };
  const earlier = Object.entries(cleared).filter(([key]) => isSet(Reflect.get(state, key)));
  return { ...validated, status: "in_progress", ...Object.fromEntries(earlier) };
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0);
}
