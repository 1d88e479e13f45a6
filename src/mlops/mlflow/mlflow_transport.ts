import type { RetryPolicy } from "cockatiel";
import { Pool, type Dispatcher } from "undici";
import type { z } from "zod";
import { AgentError } from "../../agents/base/agent_error.ts";
import { noAnswer } from "../../agents/base/deadline.ts";
import { inSpan, traceHeaders } from "../../agents/base/tracing.ts";
import { ConfigurationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { basicAuthorization } from "../../platform/basic_authorization.ts";
import { Circuit } from "../../platform/work/circuit.ts";
import { retrying } from "../../platform/work/retries.ts";
import { errorFromAnswer, SERVICE } from "./mlflow_errors.ts";
import { parseAnswer, readText } from "./mlflow_answers.ts";
import { isWorthAnotherTry } from "../shared/worth_another_try.ts";

export type MLflowAuth =
  { kind: "basic"; username: string; password: string } | { kind: "bearer"; token: string };

export interface MLflowTransportOptions {
  /** `http(s)://host[:port][/prefix]`, without user and password. */
  trackingUri: string;
  /** Null: as nobody. */
  auth?: MLflowAuth | null;
  /** Sent as `X-MLFLOW-WORKSPACE`. */
  workspace?: string;
  /** Limit for one attempt of one call; for a download, the longest silence between two pieces. */
  callTimeoutMs?: number;
  /** Attempts at a call that may be repeated, the first included. */
  maximumTries?: number;
  /** Outages in a row that open the circuit breaker, and how long it then answers by itself. */
  breaker?: { consecutiveFailures: number; halfOpenAfterMs: number };
}

/** Three attempts, with their pauses, fit into an answer's 30 s. */
const CALL_TIMEOUT_MS = 6_000;

export interface Call {
  method: "GET" | "POST" | "DELETE";
  /** Under the tracking URI, starting with a slash, each segment already percent-encoded. */
  path: string;
  query?: Record<string, string>;
  body?: Record<string, unknown>;
  /** Whether sending the call twice has no more effect than sending it once; others are sent once. */
  repeatable: boolean;
}

/** Sends calls to one MLflow server: timeouts, retries with full jitter, one circuit breaker, typed errors. */
export class MLflowTransport {
  readonly origin: string;
  readonly #prefix: string;
  readonly #pool: Pool;
  readonly #headers: Record<string, string>;
  readonly #callTimeoutMs: number;
  readonly #retry: RetryPolicy;
  readonly #circuit: Circuit;

  /** @throws ConfigurationError */
  constructor(options: MLflowTransportOptions) {
    const uri = checkedTrackingUri(options.trackingUri);
    this.origin = uri.origin;
    this.#prefix = uri.pathname.replace(/\/+$/, "");
    this.#headers = headersFor(options);
    this.#callTimeoutMs = options.callTimeoutMs ?? CALL_TIMEOUT_MS;
    this.#pool = new Pool(uri.origin, { connections: 8, connect: { timeout: this.#callTimeoutMs } });
    this.#retry = retrying(isWorthAnotherTry, {
      attempts: options.maximumTries ?? 3,
      firstPauseMs: 100,
      longestPauseMs: 2_000,
    });
    this.#circuit = new Circuit({ service: SERVICE, ...options.breaker });
  }

  /** @throws ServiceUnavailableError | ServiceRefusedError | NotFoundError */
  async json<T>(call: Call, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    return await this.#guarded(call, signal, async () => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(this.#callTimeoutMs)]);
      return parseAnswer(nameOf(call), await readText(await this.#open(call, limit)), schema);
    });
  }

  /**
   * Hands the body to `consume`, which is called again from the start when the answer breaks off.
   * @throws ServiceUnavailableError | ServiceRefusedError | NotFoundError, and what `consume` raises of ours
   */
  async stream<T>(
    call: Call,
    consume: (body: AsyncIterable<Uint8Array>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return await this.#guarded(call, signal, async () => {
      const body = await this.#open(call, signal);
      // An unread body emits its error here as well; the reason is the error that `consume` raises.
      body.on("error", () => undefined);
      try {
        return await consume(body);
      } finally {
        body.destroy();
      }
    });
  }

  /** One try past retries and breaker. @throws ServiceUnavailableError | ServiceRefusedError */
  async probe(path: string, signal: AbortSignal): Promise<string> {
    const call: Call = { method: "GET", path, repeatable: false };
    return await this.#typed(call, signal, async () => {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(this.#callTimeoutMs)]);
      return await readText(await this.#open(call, limit));
    });
  }

  /** Ends idle connections; calls that run are let finish. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #guarded<T>(call: Call, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    const through = () => this.#circuit.run(nameOf(call), signal, () => this.#typed(call, signal, attempt));
    const send = async () => (call.repeatable ? this.#retry.execute(through) : through());
    return await inSpan(`MLflow ${nameOf(call)}`, { "http.request.method": call.method }, send, "client");
  }

  async #typed<T>(call: Call, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
    try {
      signal.throwIfAborted();
      return await attempt();
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const why = signal.aborted
        ? `was given up by its caller: ${noAnswer(signal, this.#callTimeoutMs)}`
        : `got no whole answer (limit ${this.#callTimeoutMs} ms)`;
      throw new ServiceUnavailableError(SERVICE, `${nameOf(call)} to MLflow at ${this.origin} ${why}.`, {
        cause: error,
        details: { given_up: signal.aborted },
      });
    }
  }

  async #open(call: Call, signal: AbortSignal): Promise<Dispatcher.ResponseData["body"]> {
    const query = call.query === undefined ? "" : `?${new URLSearchParams(call.query).toString()}`;
    const answer = await this.#pool.request({
      method: call.method,
      path: `${this.#prefix}${call.path}${query}`,
      headers: {
        ...this.#headers,
        ...traceHeaders(),
        ...(call.body && { "content-type": "application/json" }),
      },
      body: call.body === undefined ? null : JSON.stringify(call.body),
      headersTimeout: this.#callTimeoutMs,
      bodyTimeout: this.#callTimeoutMs,
      signal,
    });
    if (answer.statusCode >= 200 && answer.statusCode < 300) return answer.body;
    const body = await readText(answer.body);
    throw errorFromAnswer({ call: nameOf(call), origin: this.origin, status: answer.statusCode, body });
  }
}

function nameOf(call: Call): string {
  return `${call.method} ${call.path.replace("/api/2.0/mlflow/", "")}`;
}

function headersFor(options: MLflowTransportOptions): Record<string, string> {
  const headers: Record<string, string> = { accept: "application/json, */*" };
  if (options.workspace !== undefined) headers["x-mlflow-workspace"] = options.workspace;
  return { ...headers, ...authorization(options.auth ?? null) };
}

/** The header by which MLflow knows who asks; none for nobody. */
export function authorization(auth: MLflowAuth | null): Record<string, string> {
  if (auth === null) return {};
  return { authorization: auth.kind === "bearer" ? `Bearer ${auth.token}` : basicAuthorization(auth) };
}

/** The messages leave the URI out, since it may hold a password. */
function checkedTrackingUri(trackingUri: string): URL {
  const uri = URL.canParse(trackingUri) ? new URL(trackingUri) : null;
  if (uri === null || !["http:", "https:"].includes(uri.protocol)) {
    throw new ConfigurationError(
      "MLFLOW_TRACKING_URI is no http(s) URL; give one such as http://127.0.0.1:5000.",
    );
  }
  if (uri.username !== "" || uri.password !== "") {
    throw new ConfigurationError(
      "MLFLOW_TRACKING_URI holds a user or password; give them as MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.",
    );
  }
  return uri;
}
