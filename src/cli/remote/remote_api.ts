import { z } from "zod";
import { AgentError } from "../../agents/base/agent_error.ts";
import { nextStepSchema } from "../../agents/base/next_step.ts";
import {
  ConfigurationError,
  NotAuthenticatedError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import { isLoopback } from "../../platform/loopback.ts";

/** Above the longest that an action is waited for. */
const LONGEST_MS = 60_000;

const problemSchema = z.looseObject({
  code: z.string(),
  detail: z.string(),
  retryable: z.boolean(),
  refused: z.boolean(),
  unmet: z.array(z.unknown()),
  operation_id: z.string().nullable(),
  problems: z.array(z.string()),
  next: z.array(nextStepSchema),
  not_before: z.string().nullable(),
});

/** A problem that the API answered, as the error that it was there. */
class RemoteError extends AgentError {
  readonly code: string;
  readonly retryable: boolean;

  constructor({ code, retryable, detail, next, not_before, ...problem }: z.infer<typeof problemSchema>) {
    const { refused, unmet, operation_id, problems } = problem;
    const details = {
      ...(refused && { unmet }),
      ...(operation_id !== null && { operation_id }),
      ...(problems.length > 0 && { problems }),
    };
    super(detail, { details, next, not_before });
    this.code = code;
    this.retryable = retryable;
  }
}

export interface RemoteRequest {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  query?: Record<string, string | number | null | undefined>;
  body?: unknown;
}

/** The API that `MODEL_DEPLOYER_URL` names, in the name of the token's principal. */
export class RemoteApi {
  readonly #base: URL;
  readonly #token: string;
  readonly #signal: AbortSignal;

  /** @throws ConfigurationError | NotAuthenticatedError */
  constructor({ url, token, signal }: { url: string; token: string | null; signal: AbortSignal }) {
    this.#base = baseOf(url);
    if (token === null) {
      throw new NotAuthenticatedError(
        `${url} asks who you are: \`model-deployer login\` signs you in at its provider, or set MODEL_DEPLOYER_TOKEN or name a --token-file.`,
      );
    }
    this.#token = token;
    this.#signal = signal;
  }

  /** The console that is served beside it, and what signs in there. */
  get console(): { base: string; token: string } {
    return { base: new URL("/", this.#base).href, token: this.#token };
  }

  /**
   * @throws the error that the API answered with, by its code
   * @throws ServiceUnavailableError | ServiceRefusedError for an answer that is not the API's
   */
  async ask<S extends z.ZodType>(schema: S, path: string, request: RemoteRequest = {}): Promise<z.output<S>> {
    const answer = schema.safeParse(await this.#answer(path, request));
    if (answer.success) return answer.data;
    throw this.#foreign("another version's answer", answer.error);
  }

  /** For what is answered without a body. @throws as `ask` */
  async tell(path: string, request: RemoteRequest): Promise<void> {
    await this.#answer(path, request);
  }

  async #answer(path: string, request: RemoteRequest): Promise<unknown> {
    const response = await this.#send(path, request);
    const body = await bodyOf(response);
    if (response.ok) return body;
    const problem = problemSchema.safeParse(body);
    if (problem.success) throw new RemoteError(problem.data);
    throw this.#foreign(`${response.status}`, problem.error);
  }

  async #send(path: string, { method, query = {}, body }: RemoteRequest): Promise<Response> {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
    }
    try {
      return await fetch(url, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        redirect: "error",
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(LONGEST_MS)]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw new ServiceUnavailableError(
        "api",
        `${this.#base.origin} does not answer; MODEL_DEPLOYER_URL names where \`serve\` or \`up\` listens.`,
        { cause },
      );
    }
  }

  #foreign(found: string, cause: unknown): ServiceRefusedError {
    return new ServiceRefusedError(
      "api",
      `${this.#base.origin} answered ${found}, which is no answer of this version's API; look at MODEL_DEPLOYER_URL.`,
      { cause },
    );
  }
}

async function bodyOf(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    // A text that is no JSON is no answer of the API, and is told as such.
    return null;
  }
}

/** A token goes over TLS, or to this machine. @throws ConfigurationError */
function baseOf(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : null;
  const isSafe =
    base !== null && (base.protocol === "https:" || (base.protocol === "http:" && isLoopback(base.hostname)));
  if (base !== null && isSafe) {
    if (base.href === `${base.origin}/`) return base;
    throw new ConfigurationError(
      `MODEL_DEPLOYER_URL is ${JSON.stringify(url.slice(0, 200))}: the API is at the root of its address; write ${base.origin}.`,
    );
  }
  throw new ConfigurationError(
    `MODEL_DEPLOYER_URL is ${JSON.stringify(url.slice(0, 200))}: write the API's address with https://, or with http:// on this machine.`,
  );
}
