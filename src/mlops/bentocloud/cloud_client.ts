import type { RetryPolicy } from "cockatiel";
import { Pool } from "undici";
import type { z } from "zod";
import { AgentError } from "../../agents/base/agent_error.ts";
import { noAnswer } from "../../agents/base/deadline.ts";
import { inSpan } from "../../agents/base/tracing.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { Circuit } from "../../platform/work/circuit.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import { retrying } from "../../platform/work/retries.ts";
import { isWorthAnotherTry } from "../shared/worth_another_try.ts";

/** This part's name in errors. */
export const BENTOCLOUD = "bentocloud";

/** The release of BentoML's client whose calls these are. */
const CLIENT_VERSION = "1.4.39";
const CALL_TIMEOUT_MS = 8_000;

interface CloudCall {
  method: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  body?: unknown;
}

interface CloudAnswer {
  status: number;
  body: string;
}

/**
 * BentoCloud's REST API. Every call may come twice: what is made has a fixed name, and a change is the whole of what is
 * wanted; so calls without an answer, 429 and 5xx are tried again. Only 200 is success, and what is not found is 404 or a 400
 * that says so.
 */
export class CloudClient {
  readonly #pool: Pool;
  readonly #token: string;
  readonly #retry: RetryPolicy;
  readonly #circuit = new Circuit({ service: BENTOCLOUD });

  constructor(endpoint: string, token: string, { attempts = 3 }: { attempts?: number } = {}) {
    this.#pool = new Pool(new URL(endpoint).origin, { connections: 4 });
    this.#token = token;
    this.#retry = retrying(isWorthAnotherTry, { attempts, firstPauseMs: 200, longestPauseMs: 2_000 });
  }

  /** Null where there is none. */
  async get<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | null> {
    const call = { method: "GET", path } as const;
    const answer = await this.#call(call, signal);
    return isMissing(answer) ? null : parsed(call, accepted(call, answer), schema);
  }

  /** Null where one of that name is there already. */
  async create<T>(path: string, body: unknown, schema: z.ZodType<T>, signal: AbortSignal): Promise<T | null> {
    const call = { method: "POST", path, body } as const;
    const answer = await this.#call(call, signal);
    return answer.status === 409 ? null : parsed(call, accepted(call, answer), schema);
  }

  /** False where there is nothing to be changed or ended. */
  async change(call: CloudCall, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#call(call, signal);
    if (isMissing(answer)) return false;
    accepted(call, answer);
    return true;
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  #call(call: CloudCall, signal: AbortSignal): Promise<CloudAnswer> {
    const name = nameOf(call);
    const through = () => this.#circuit.run(name, signal, () => this.#send(call, signal));
    const attributes = { "http.request.method": call.method };
    return inSpan(`BentoCloud ${name}`, attributes, () => this.#retry.execute(through), "client");
  }

  async #send({ method, path, body }: CloudCall, signal: AbortSignal): Promise<CloudAnswer> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
    try {
      signal.throwIfAborted();
      const answer = await this.#pool.request({
        method,
        path,
        headers: {
          "x-yatai-api-token": this.#token,
          "x-bentoml-version": CLIENT_VERSION,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        body: body === undefined ? null : JSON.stringify(body),
        signal: limit,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 429 && answer.statusCode < 500)
        return { status: answer.statusCode, body: text };
      const said = `${nameOf({ method, path })} was answered with ${answer.statusCode}: ${text.slice(0, 300)}`;
      throw new ServiceUnavailableError(BENTOCLOUD, said, { details: { status: answer.statusCode } });
    } catch (cause) {
      if (cause instanceof AgentError) throw cause;
      const why = noAnswer(signal, CALL_TIMEOUT_MS);
      throw new ServiceUnavailableError(BENTOCLOUD, `${nameOf({ method, path })} gave ${why}`, {
        cause,
        details: { given_up: signal.aborted },
      });
    }
  }
}

const nameOf = ({ method, path }: CloudCall) => `${method} ${path}`;

function isMissing({ status, body }: CloudAnswer): boolean {
  return status === 404 || (status === 400 && body.includes("record not found"));
}

function accepted(call: CloudCall, answer: CloudAnswer): CloudAnswer {
  if (answer.status === 200) return answer;
  const wayOut =
    answer.status === 401 ? "; BENTO_CLOUD_API_KEY is not accepted: make a new one, and set it" : "";
  throw new ServiceRefusedError(
    BENTOCLOUD,
    `${nameOf(call)} was refused with ${answer.status}: ${answer.body.slice(0, 300)}${wayOut}`,
    { details: { status: answer.status } },
  );
}

function parsed<T>(call: CloudCall, { body }: CloudAnswer, schema: z.ZodType<T>): T {
  const found = schema.safeParse(parsedJson(body));
  if (found.success) return found.data;
  const issues = found.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  throw new ServiceRefusedError(
    BENTOCLOUD,
    `${nameOf(call)} was answered with something else than its object: ${issues}; is BENTO_CLOUD_API_ENDPOINT the address of BentoCloud?`,
    { details: { body: body.slice(0, 300) } },
  );
}
