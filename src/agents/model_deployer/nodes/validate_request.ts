import { AgentError } from "../../base/agent_error.ts";
import { type ActionRequest, actionRequestSchema, ASKED_ACTIONS } from "../domain/requests.ts";
import { InvalidDeploymentActionError, InvalidRequestError } from "../errors.ts";
import { type ParsedRequestState, requestStateSchema, withoutNeighbours } from "../state/state.ts";
import { valueText } from "../state/value_text.ts";
import { assembledRequest } from "./assembled_request.ts";
import { parse, refusePoison } from "./refused_state.ts";

export interface ValidatedRequest {
  action_request: ActionRequest;
  /** Null where the caller named neither a request nor a session and query. */
  idempotency_key: string | null;
}

/**
 * Parses a caller's state, without any outside call.
 * @throws InvalidRequestError with every problem and its field
 * @throws InvalidDeploymentActionError
 */
export function validateRequest(state: Record<string, unknown>): ValidatedRequest {
  return readable(() => validated(state));
}

/** Reads a caller's value, which may raise: an accessor, a proxy, or a missing object. @throws InvalidRequestError */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    const why = error instanceof Error ? error.message : valueText(error);
    const message = `The state cannot be read: ${why.slice(0, 200)}. Hand over plain JSON values.`;
    throw new InvalidRequestError(message, { cause: error });
  }
}

function validated(state: Record<string, unknown>): ValidatedRequest {
  refusePoison(state);
  const action = state["deployment_action"];
  const known = [...ASKED_ACTIONS, "advance" as const].find((name) => name === action);
  if (known === undefined) {
    throw new InvalidDeploymentActionError(
      `Unknown action: ${valueText(action)}. Set deployment_action to one of ${ASKED_ACTIONS.join(", ")}.`,
    );
  }
  const read = known === "register" ? state : withoutNeighbours(state);
  const parsed = parse(requestStateSchema, read);
  const request = parse(actionRequestSchema, assembledRequest(known, parsed));
  return { action_request: request, idempotency_key: idempotencyKey(parsed) };
}

/** A pipeline's query makes one request: the same query with the same body gets the same answer. */
function idempotencyKey(state: ParsedRequestState): string | null {
  if (state.request_id !== undefined) return state.request_id;
  if (state.session_id === undefined || state.query_id === undefined) return null;
  return `${state.session_id}:${state.query_id}:${state.deployment_action}`;
}
