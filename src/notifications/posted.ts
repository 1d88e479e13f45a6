import { Agent, request } from "undici";
import { AgentError } from "../agents/base/agent_error.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import { silenceOf } from "./silence.ts";
import { reachableLookup, requireReachable } from "./reachable_address.ts";

const SERVICE = "notifications";

interface Posted {
  /** Often a secret itself, so that an error names its host alone. */
  url: string;
  body: string;
  headers: Record<string, string>;
  mayBeInside: boolean;
}

/**
 * Sends one request; redirects are not followed.
 * @throws ServiceUnavailableError where it does not answer or asks for patience, ServiceRefusedError for any other answer
 * than 2xx, and for an address that no sink may have
 */
export async function post(
  { url, body, headers, mayBeInside }: Posted,
  { signal }: CallOptions,
): Promise<void> {
  const parsed = new URL(url);
  requireReachable(parsed, mayBeInside);
  const dispatcher = new Agent({
    connect: { lookup: reachableLookup(parsed, mayBeInside) },
    maxResponseSize: 65_536,
  });
  try {
    const answer = await request(url, { method: "POST", body, headers, signal, dispatcher });
    await answer.body.dump();
    if (answer.statusCode >= 200 && answer.statusCode < 300) return;
    throw errorOf(parsed.host, answer.statusCode);
  } catch (error) {
    throw typed(parsed.host, error);
  } finally {
    await dispatcher.destroy();
  }
}

function errorOf(host: string, status: number): AgentError {
  const details = { host, status };
  if (status >= 500 || status === 429 || status === 408) {
    return new ServiceUnavailableError(SERVICE, `${host} answers with ${status}.`, { details });
  }
  const why =
    status >= 300 && status < 400
      ? "a redirect, which is not followed: set the address that it leads to"
      : "what it was sent is not taken: see whether the address is still valid";
  return new ServiceRefusedError(SERVICE, `${host} answers with ${status}; ${why}.`, { details });
}

function typed(host: string, error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  if (error instanceof Error && error.cause instanceof AgentError) return error.cause;
  const message = `${host} does not answer: ${silenceOf(error)}.`;
  return new ServiceUnavailableError(SERVICE, message, { cause: error, details: { host } });
}
