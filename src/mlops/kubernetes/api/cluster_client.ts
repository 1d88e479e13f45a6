import type { RetryPolicy } from "cockatiel";
import { Pool } from "undici";
import { z } from "zod";
import { AgentError } from "../../../agents/base/agent_error.ts";
import { noAnswer } from "../../../agents/base/deadline.ts";
import { inSpan } from "../../../agents/base/tracing.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { Circuit } from "../../../platform/work/circuit.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import { retrying } from "../../../platform/work/retries.ts";
import type { ClusterAccess } from "./cluster_access.ts";
import { errorFromAnswer, statusMessageIn, SERVICE } from "./cluster_errors.ts";
import { isWorthAnotherTry } from "../../shared/worth_another_try.ts";

export interface ClusterCall {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Under the server's address, beginning with a slash. */
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  /** The body as it is, instead of one in JSON. */
  text?: string;
  contentType?: string;
  headers?: Record<string, string>;
}

export interface ClusterAnswer {
  status: number;
  body: string;
}

interface ClientOptions {
  /** Limit for one attempt of one call. */
  callTimeoutMs?: number;
  /** Attempts in all. */
  attempts?: number;
}

/** Objects in one answer, so that a list of many takes no longer than a call may. */
const PAGE_SIZE = 500;

const pageSchema = z.object({
  metadata: z.object({ continue: z.string().default("") }).prefault({}),
  items: z.array(z.unknown()),
});

/** Three attempts, with their pauses, fit into an answer's 30 s. */
const CALL_TIMEOUT_MS = 6_000;

/**
 * Sends calls to one API server. Every call may come twice: what is made has a fixed name, what is changed or deleted
 * names the version or the uid that was seen; so calls without an answer, 429 and 5xx are tried again.
 * Each raises ServiceUnavailableError, or ServiceRefusedError with what the server said.
 */
export class ClusterClient {
  readonly server: string;
  readonly #access: ClusterAccess;
  readonly #prefix: string;
  readonly #pool: Pool;
  readonly #callTimeoutMs: number;
  readonly #retry: RetryPolicy;
  readonly #circuit = new Circuit({ service: SERVICE, isOutage: isSilence });

  constructor(access: ClusterAccess, { callTimeoutMs = CALL_TIMEOUT_MS, attempts = 3 }: ClientOptions = {}) {
    const { origin, pathname } = new URL(access.server);
    this.server = access.server;
    this.#access = access;
    this.#prefix = pathname.replace(/\/+$/, "");
    this.#callTimeoutMs = callTimeoutMs;
    const { certificateAuthority: ca, serverName: servername, clientCertificate: client } = access;
    this.#pool = new Pool(origin, {
      connections: 8,
      connect: {
        timeout: callTimeoutMs,
        ...(ca !== null && { ca }),
        ...(servername !== null && { servername }),
        ...(client !== null && { cert: client.certificate, key: client.key }),
      },
    });
    this.#retry = retrying(isWorthAnotherTry, { attempts, firstPauseMs: 100, longestPauseMs: 2_000 });
  }

  /** Null where there is none. */
  async get<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | null> {
    const call: ClusterCall = { method: "GET", path };
    const answer = await this.call(call, signal, [404]);
    return answer.status === 404 ? null : parsed(call, answer, schema);
  }

  /** All objects of a kind with these labels, page by page; begun anew where the server has forgotten the rest. */
  async list<T>(path: string, labelSelector: string, item: z.ZodType<T>, signal: AbortSignal): Promise<T[]> {
    const items = z.array(item);
    for (let found: T[] = [], next = ""; ;) {
      const query = { labelSelector, limit: String(PAGE_SIZE), ...(next !== "" && { continue: next }) };
      const call: ClusterCall = { method: "GET", path, query };
      const answer = await this.call(call, signal, [404, 410]);
      if (answer.status === 404) return [];
      if (answer.status === 410) {
        found = [];
        next = "";
        continue;
      }
      const { metadata, ...page } = parsed(call, answer, pageSchema);
      for (const one of parsedAs(call, answer, items, page.items)) found.push(one);
      next = metadata.continue;
      if (next === "") return found;
    }
  }

  /** Null where an object of that name is there already. */
  async create<T>(path: string, body: unknown, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | null> {
    const call: ClusterCall = { method: "POST", path, query: { fieldValidation: "Strict" }, body };
    const answer = await this.call(call, signal, [409]);
    if (answer.status !== 409) return parsed(call, answer, schema);
    if (statusMessageIn(answer.body).reason === "AlreadyExists") return null;
    throw errorFromAnswer({ call: nameOf(call), ...answer });
  }

  /** Merges into an object as it was seen; null where it was changed since, or is gone. */
  async merge<T>(
    path: string,
    change: { metadata: { resourceVersion: string } & Record<string, unknown> } & Record<string, unknown>,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ): Promise<T | null> {
    const contentType = "application/merge-patch+json";
    const query = { fieldValidation: "Strict" };
    const call: ClusterCall = { method: "PATCH", path, query, body: change, contentType };
    const answer = await this.call(call, signal, [404, 409]);
    return [404, 409].includes(answer.status) ? null : parsed(call, answer, schema);
  }

  /** Sets annotations whatever else an object says; nothing where it is gone. */
  async annotate(path: string, annotations: Record<string, string>, signal: AbortSignal): Promise<void> {
    const contentType = "application/merge-patch+json";
    const body = { metadata: { annotations } };
    await this.call({ method: "PATCH", path, body, contentType }, signal, [404]);
  }

  /** Deletes the object of this uid and what it owns; another one of the same name stays. */
  async remove(path: string, uid: string, signal: AbortSignal): Promise<void> {
    const body = {
      kind: "DeleteOptions",
      apiVersion: "v1",
      preconditions: { uid },
      propagationPolicy: "Background",
    };
    await this.call({ method: "DELETE", path, body }, signal, [404, 409]);
  }

  /** @param outcomes statuses that the caller decides by, besides those of success */
  async call(
    call: ClusterCall,
    signal: AbortSignal,
    outcomes: readonly number[] = [],
  ): Promise<ClusterAnswer> {
    const through = () => this.#circuit.run(nameOf(call), signal, () => this.#typed(call, signal, outcomes));
    const attributes = { "http.request.method": call.method };
    return inSpan(`Kubernetes ${nameOf(call)}`, attributes, () => this.#retry.execute(through), "client");
  }

  /** One try past retries and breaker, whatever is answered, as for what a pod says through the proxy. */
  async ask(call: ClusterCall, signal: AbortSignal): Promise<ClusterAnswer> {
    const answer = await this.#send(call, signal, false);
    return answer.status === 401 ? this.#send(call, signal, true) : answer;
  }

  /** Ends idle connections; calls that run are let finish. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #typed(call: ClusterCall, signal: AbortSignal, outcomes: readonly number[]): Promise<ClusterAnswer> {
    try {
      signal.throwIfAborted();
      const answer = await this.ask(call, signal);
      const isFine = (answer.status >= 200 && answer.status < 300) || outcomes.includes(answer.status);
      if (isFine) return answer;
      throw errorFromAnswer({ call: nameOf(call), ...answer });
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const why = signal.aborted
        ? `was given up by its caller: ${noAnswer(signal, this.#callTimeoutMs)}`
        : `got no whole answer within ${this.#callTimeoutMs / 1000} s`;
      throw new ServiceUnavailableError(SERVICE, `${nameOf(call)} at ${this.server} ${why}`, {
        cause: error,
        details: { given_up: signal.aborted, silent: true },
      });
    }
  }

  async #send(call: ClusterCall, signal: AbortSignal, renewed: boolean): Promise<ClusterAnswer> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(this.#callTimeoutMs)]);
    const token = await this.#access.bearerToken({ renewed, signal: limit });
    const query = call.query === undefined ? "" : `?${new URLSearchParams(call.query).toString()}`;
    const answer = await this.#pool.request({
      method: call.method,
      path: `${this.#prefix}${call.path}${query}`,
      headers: {
        accept: "application/json",
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(call.body !== undefined && { "content-type": call.contentType ?? "application/json" }),
        ...call.headers,
      },
      body: call.text ?? (call.body === undefined ? null : JSON.stringify(call.body)),
      signal: limit,
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  }
}

function nameOf({ method, path }: ClusterCall): string {
  return `${method} ${path}`;
}

const parsed = <T>(call: ClusterCall, answer: ClusterAnswer, schema: z.ZodType<T>): T =>
  parsedAs(call, answer, schema, parsedJson(answer.body));

/** @param content what the answer holds, or a part of it */
function parsedAs<T>(call: ClusterCall, answer: ClusterAnswer, schema: z.ZodType<T>, content: unknown): T {
  const found = schema.safeParse(content);
  if (found.success) return found.data;
  const issues = found.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  throw new ServiceRefusedError(
    SERVICE,
    `${nameOf(call)} was answered with something else than its object: ${issues}; is the address that of a Kubernetes API server?`,
    { details: { body: answer.body.slice(0, 300) } },
  );
}

function isSilence(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && error.details["silent"] === true;
}
