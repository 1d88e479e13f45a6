import { createReadStream } from "node:fs";
import { request } from "undici";
import { z } from "zod";
import { AgentError } from "../../agents/base/agent_error.ts";
import { noAnswer } from "../../agents/base/deadline.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import { retrying } from "../../platform/work/retries.ts";
import { errorFromRegistry, REGISTRY, type RegistryAnswer } from "./registry_errors.ts";

export interface Repository {
  /** `registry.example.org:5000`. */
  host: string;
  /** `team/models`. */
  path: string;
}

export interface RegistryCall {
  method: "GET" | "HEAD" | "POST" | "PUT";
  url: string;
  headers?: Record<string, string>;
  /** A file's path, or a text. */
  body?: { file: string; size: number } | { text: string };
}

const tokenSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });

const CALL_TIMEOUT_MS = 15_000;

/** Sends calls to registries, answers their challenges, and tries again what had no answer, 429 or 5xx. */
export class RegistryTransport {
  readonly #credentialsOf: (host: string) => Promise<string | null>;
  readonly #authorizations = new Map<string, string>();
  readonly #retry = retrying(isPassing, { attempts: 3, firstPauseMs: 200, longestPauseMs: 2_000 });

  constructor(credentialsOf: (host: string) => Promise<string | null>) {
    this.#credentialsOf = credentialsOf;
  }

  authorizationOf(repository: Repository): string | undefined {
    return this.#authorizations.get(keyOf(repository));
  }

  async call(
    repository: Repository,
    call: RegistryCall,
    signal: AbortSignal,
    limitMs = CALL_TIMEOUT_MS,
  ): Promise<RegistryAnswer> {
    return this.#retry.execute(async () => {
      const answer = await this.#send(repository, call, signal, limitMs);
      if (answer.status !== 401) return passing(call, answer);
      await this.#authorize(repository, answer, signal);
      return passing(call, await this.#send(repository, call, signal, limitMs));
    });
  }

  async #send(
    repository: Repository,
    { method, url, headers = {}, body }: RegistryCall,
    signal: AbortSignal,
    limitMs: number,
  ): Promise<RegistryAnswer> {
    const authorization = this.#authorizations.get(keyOf(repository));
    const length = body !== undefined && "file" in body ? { "content-length": String(body.size) } : {};
    const sent = body === undefined ? null : "file" in body ? createReadStream(body.file) : body.text;
    try {
      signal.throwIfAborted();
      const answer = await request(url, {
        method,
        headers: { ...headers, ...length, ...(authorization !== undefined && { authorization }) },
        body: sent,
        signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
        headersTimeout: limitMs,
        bodyTimeout: limitMs,
      });
      return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
    } catch (cause) {
      if (cause instanceof AgentError) throw cause;
      const why = signal.aborted ? `gave ${noAnswer(signal, limitMs)}` : "gave no whole answer";
      throw new ServiceUnavailableError(REGISTRY, `${method} ${url} ${why}`, {
        cause,
        details: { given_up: signal.aborted },
      });
    }
  }

  /** Answers the registry's challenge, for later calls too. */
  async #authorize(repository: Repository, answer: RegistryAnswer, signal: AbortSignal): Promise<void> {
    const challenge = String(answer.headers["www-authenticate"] ?? "");
    const basic = await this.#credentialsOf(repository.host);
    if (/^basic /i.test(challenge) && basic !== null) {
      this.#authorizations.set(keyOf(repository), `Basic ${basic}`);
      return;
    }
    const realm = parameterOf(challenge, "realm");
    if (!/^bearer /i.test(challenge) || realm === null || !URL.canParse(realm)) {
      throw errorFromRegistry(`a call to ${repository.host}`, answer);
    }
    const url = new URL(realm);
    const service = parameterOf(challenge, "service");
    if (service !== null) url.searchParams.set("service", service);
    const scope = parameterOf(challenge, "scope") ?? `repository:${repository.path}:pull`;
    url.searchParams.set("scope", scope);
    const call: RegistryCall = {
      method: "GET",
      url: url.href,
      ...(basic !== null && { headers: { authorization: `Basic ${basic}` } }),
    };
    const given = await this.#send({ host: "", path: "" }, call, signal, CALL_TIMEOUT_MS);
    const said = tokenSchema.safeParse(parsedJson(given.body));
    const token = said.success ? (said.data.token ?? said.data.access_token) : undefined;
    if (given.status !== 200 || token === undefined) throw errorFromRegistry(`GET ${realm}`, given);
    this.#authorizations.set(keyOf(repository), `Bearer ${token}`);
  }
}

const keyOf = ({ host, path }: Repository) => `${host}/${path}`;

function parameterOf(challenge: string, name: string): string | null {
  return new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1] ?? null;
}

function passing(call: RegistryCall, answer: RegistryAnswer): RegistryAnswer {
  if (answer.status === 429 || answer.status >= 500)
    throw errorFromRegistry(`${call.method} ${call.url}`, answer);
  return answer;
}

function isPassing(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && error.details["given_up"] !== true;
}
