import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { type ActionRequest, actionRequestSchema } from "../domain/requests.ts";
import {
  ForkRefusedError,
  IdempotencyKeyReusedError,
  InvalidRequestError,
  NotFoundError,
} from "../errors.ts";
import { again } from "../planning/ways_out/next_steps.ts";
import type { ActionStateValue } from "./action_state.ts";
import type { Database, Settings } from "../ports/parts.ts";
import type { Operation, SeenOperation } from "../ports/stores/operation_stores.ts";
import type { NodeRuntime } from "./runtime.ts";

/**
 * Finds or makes the request's operation. Under a development server a request without a key is identified by its
 * thread, so that a replay gets the same answer and a fork with another request is refused.
 * @throws ForkRefusedError | IdempotencyKeyReusedError
 */
export async function claimOperation(
  { journal }: Pick<Database, "journal">,
  { requested_by, origin = null }: Pick<Settings, "requested_by" | "origin">,
  state: ActionStateValue,
  runtime: NodeRuntime,
): Promise<Operation> {
  const request = requestOf(state);
  const key = state.idempotency_key ?? null;
  const thread = key === null ? servedThread(runtime) : null;
  const claim = {
    request_id: thread === null ? key : `thread:${thread}`,
    payload_hash: hashOf(request),
    action: request.action,
    requested_by,
    asked_from: origin,
    request: { ...request },
  };
  try {
    return await journal.claim(claim);
  } catch (error) {
    if (!(error instanceof IdempotencyKeyReusedError)) throw error;
    if (thread === null) {
      const next = again(request, `asks for it without request_id ${key}`);
      throw new IdempotencyKeyReusedError(error.message, { cause: error, details: error.details, next });
    }
    throw new ForkRefusedError(
      `Thread ${thread} has asked for something else already, so this is taken for a fork of it and nothing is changed. Begin a new thread, or give the request a request_id of its own.`,
      { cause: error, details: error.details },
    );
  }
}

function servedThread(runtime: NodeRuntime): string | null {
  return runtime.serverInfo === undefined ? null : (runtime.executionInfo?.threadId ?? null);
}

/**
 * The operation that a node continues. Its request is read from the journal, so that an edited state cannot turn it
 * into another one.
 * @throws ForkRefusedError
 */
export async function claimedOperation(
  { operations }: Pick<Database, "operations">,
  state: ActionStateValue,
): Promise<SeenOperation> {
  const id = state.operation_id;
  if (typeof id !== "string") {
    throw new InvalidRequestError("The state names no claimed operation; begin at the graph's first node.");
  }
  const seen = await operations.see(id);
  if (seen === null) {
    throw new NotFoundError(`Operation ${id} does not exist; begin at the graph's first node.`);
  }
  const { operation } = seen;
  if (operation.payload_hash !== hashOf(requestOf(state))) {
    throw new ForkRefusedError(
      `Operation ${id} (${operation.action}, ${operation.status}) was claimed for another request than this state holds, so this is a fork of it and nothing is changed. Begin a new run with the new request.`,
      { details: { operation_id: id, status: operation.status } },
    );
  }
  return seen;
}

export function requestOf(state: ActionStateValue): ActionRequest {
  const parsed = actionRequestSchema.safeParse(state.action_request);
  if (parsed.success) return parsed.data;
  throw new InvalidRequestError("The state holds no validated request; begin at the graph's first node.", {
    cause: parsed.error,
  });
}

/** sha256 of the request in canonical JSON (RFC 8785), without what is never looked at. */
function hashOf(request: ActionRequest): string {
  const asked = request.action === "rollback" ? { ...request, endpoint_beside: undefined } : request;
  const canonical = canonicalize(asked) ?? "";
  return createHash("sha256").update(canonical).digest("hex");
}
