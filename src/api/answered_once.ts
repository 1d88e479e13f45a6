import { createHash } from "node:crypto";
import type { Context } from "hono";
import { z } from "zod";
import { AgentError } from "../agents/base/agent_error.ts";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import canonicalize from "canonicalize";
import type { ApiParts } from "./api_parts.ts";

const keySchema = z.string().regex(/^[\x21-\x7e]{1,255}$/);
const PLACE = "answered_request";
const keptSchema = z.strictObject({ status: z.int(), body: z.json() });

/** The caller's `Idempotency-Key`; null without one. @throws InvalidRequestError */
export function keyOf(context: Context): string | null {
  const header = context.req.header("idempotency-key");
  if (header === undefined) return null;
  const key = keySchema.safeParse(header);
  if (key.success) return key.data;
  throw new InvalidRequestError("An Idempotency-Key has 1 to 255 visible characters of ASCII.");
}

interface Keyed {
  principal: string;
  key: string;
  /** The parts that are compared to tell a repeated request from another one. */
  request: unknown;
}

/**
 * Carries a request out once for its key: the same request again gets the same answer, also one with a token that is shown
 * once. What was refused or failed has changed nothing, and is asked for anew.
 * @throws IdempotencyKeyReusedError | ConflictError, and what the work throws
 */
export async function answeredOnce(
  { database: { answeredRequests }, secrets }: Pick<ApiParts, "database" | "secrets">,
  { principal, key: request_key, request }: Keyed,
  work: () => Promise<Response>,
): Promise<Response> {
  const payload_hash = createHash("sha256")
    .update(canonicalize(request) ?? "")
    .digest("hex");
  const kept = await answeredRequests.claim({ principal, request_key, payload_hash });
  if (kept !== null) {
    const { status, body } = keptSchema.parse(JSON.parse(await secrets.open(kept, PLACE)));
    return Response.json(body, { status, headers: { "idempotency-replayed": "true" } });
  }
  let response: Response;
  try {
    response = await work();
  } catch (error) {
    // After an unexpected error nobody knows whether anything changed: the key stays claimed for a while.
    if (error instanceof AgentError) await answeredRequests.release({ principal, request_key });
    throw error;
  }
  const answer = { status: response.status, body: await response.clone().json() };
  const sealed = await secrets.keep(JSON.stringify(answer), PLACE);
  await answeredRequests.answered({ principal, request_key }, sealed.kept);
  return response;
}
