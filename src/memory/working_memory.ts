import { Redis } from "ioredis";
import { z } from "zod";
import { noAnswer, untilAborted } from "../agents/base/deadline.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { WorkingMemory } from "../agents/model_deployer/ports/memory_ports.ts";
import {
  InvalidRequestError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../agents/model_deployer/errors.ts";
import { Circuit } from "../platform/work/circuit.ts";

/** A session is forgotten a day after its last use: 86400 s in the pipeline. */
export const SESSION_TTL_SECONDS = 86_400;
/** The pipeline keeps the last ten messages of a session. */
export const SESSION_MESSAGES = 10;
/** A manifest is about 1 KiB; far more is a mistake, and a single-threaded server should not carry it. */
export const MAX_MANIFEST_BYTES = 256 * 1024;

/** Connecting and answering share less than a second: a caller waits no longer for working memory. */
const CONNECT_TIMEOUT_MS = 400;
const COMMAND_TIMEOUT_MS = 500;
const CALL_TIMEOUT_MS = 900;
const MAX_RECONNECT_DELAY_MS = 2_000;

const sessionIdSchema = z.string().regex(/^sess_[a-z0-9]{16}$/);
const manifestSchema = z.record(z.string(), z.json());

export interface RedisWorkingMemoryOptions {
  /** `redis://` or `rediss://`; a password in it is never repeated in errors. */
  redisUrl: string;
  /** Milliseconds since the epoch; stamps messages only. */
  now?: () => number;
}

/**
 * Working memory in Redis under the pipeline's keys: `model_deployer:manifest:{session_id}` holds the manifest,
 * `e2i:session:{session_id}` what the next agent looks at first, and `e2i:session:{session_id}:messages` the last ten
 * messages, newest last. All three live for a day.
 *
 * Connects with the first call, fails within a second while Redis is away, and reconnects by itself.
 *
 * @throws ServiceUnavailableError when Redis does not answer
 * @throws ServiceRefusedError when it refuses, or the manifest is too large or not JSON
 * @throws InvalidRequestError for a session id outside the pipeline's pattern
 */
export class RedisWorkingMemory implements WorkingMemory {
  readonly #redis: Redis;
  readonly #now: () => number;
  readonly #circuit = new Circuit({ service: "redis", halfOpenAfterMs: 2_000 });
  #firstConnection: Promise<void> | undefined;
  #lastError: Error | undefined;

  constructor(options: RedisWorkingMemoryOptions) {
    this.#now = options.now ?? Date.now;
    this.#redis = new Redis(options.redisUrl, {
      lazyConnect: true,
      enableOfflineQueue: false,
      connectTimeout: CONNECT_TIMEOUT_MS,
      commandTimeout: COMMAND_TIMEOUT_MS,
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 10), MAX_RECONNECT_DELAY_MS),
    });
    // Kept as the cause of the next call's error; a call that needs Redis is the one to report it.
    this.#redis.on("error", (error: Error) => (this.#lastError = error));
  }

  async rememberManifest(
    sessionId: string,
    manifest: Record<string, unknown>,
    options: CallOptions,
  ): Promise<void> {
    const keys = sessionKeys(sessionId);
    const text = serialize(manifest);
    const at = new Date(this.#now()).toISOString();
    const message = JSON.stringify({ agent_name: "model_deployer", at, summary: summarize(manifest) });
    await this.#run("remember the manifest", options.signal, async () => {
      const replies = await this.#redis
        .multi()
        .set(keys.manifest, text, "EX", SESSION_TTL_SECONDS)
        .hset(keys.session, { ...summarize(manifest), last_agent: "model_deployer", updated_at: at })
        .expire(keys.session, SESSION_TTL_SECONDS)
        .rpush(keys.messages, message)
        .ltrim(keys.messages, -SESSION_MESSAGES, -1)
        .expire(keys.messages, SESSION_TTL_SECONDS)
        .exec();
      const refused = replies?.find(([error]) => error !== null)?.[0];
      if (refused) throw refused;
    });
  }

  async recallManifest(sessionId: string, options: CallOptions): Promise<Record<string, unknown> | null> {
    const keys = sessionKeys(sessionId);
    const text = await this.#run("recall the manifest", options.signal, () => this.#redis.get(keys.manifest));
    return text === null ? null : deserialize(keys.manifest, text);
  }

  /** Ends the connection and the attempts to renew it. Idempotent. */
  async close(): Promise<void> {
    this.#redis.disconnect();
  }

  /** No command is repeated: a message that is pushed onto a list twice would stand there twice. */
  async #run<T>(what: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return this.#circuit.run(what, signal, async () => {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(CALL_TIMEOUT_MS)]);
      try {
        return await untilAborted(deadline, () => this.#connected().then(work));
      } catch (cause) {
        const isLate = cause === deadline.reason;
        throw this.#typed(what, isLate ? noAnswer(signal, CALL_TIMEOUT_MS) : textOf(cause), cause);
      }
    });
  }

  /** Waits for the first connection only; while a lost one is being renewed, calls fail at once. */
  async #connected(): Promise<void> {
    if (this.#redis.status === "ready") return;
    if (this.#redis.status === "wait") this.#firstConnection = this.#redis.connect();
    await this.#firstConnection;
  }

  #typed(what: string, said: string, cause: unknown): Error {
    const isReply = cause instanceof Error && cause.name === "ReplyError";
    if (isReply && !/^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)/.test(said)) {
      return new ServiceRefusedError("redis", `could not ${what}: ${said}`, { cause });
    }
    const before = this.#redis.status === "ready" ? undefined : this.#lastError?.message;
    const reason = before === undefined || said.includes(before) ? said : `${said} (${before})`;
    return new ServiceUnavailableError("redis", `could not ${what}: ${reason}`, { cause });
  }
}

function textOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function sessionKeys(sessionId: string) {
  if (!sessionIdSchema.safeParse(sessionId).success) {
    throw new InvalidRequestError(
      `session_id is ${JSON.stringify(sessionId.slice(0, 64))}: it has to be sess_ and 16 of a-z and 0-9`,
    );
  }
  return {
    manifest: `model_deployer:manifest:${sessionId}`,
    session: `e2i:session:${sessionId}`,
    messages: `e2i:session:${sessionId}:messages`,
  };
}

function serialize(manifest: Record<string, unknown>): string {
  const parsed = manifestSchema.safeParse(manifest);
  if (!parsed.success) {
    throw new ServiceRefusedError("redis", `the manifest is not JSON: ${z.prettifyError(parsed.error)}`, {
      cause: parsed.error,
    });
  }
  const text = JSON.stringify(parsed.data);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_MANIFEST_BYTES) return text;
  throw new ServiceRefusedError(
    "redis",
    `the manifest has ${bytes} bytes, more than ${MAX_MANIFEST_BYTES}: hand over references instead of contents`,
    { details: { bytes, limit: MAX_MANIFEST_BYTES } },
  );
}

function deserialize(key: string, text: string): Record<string, unknown> {
  try {
    return manifestSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ServiceRefusedError("redis", `${key} holds no manifest: delete the key`, { cause });
  }
}

/** Fields of a manifest that the session's hash and messages repeat. */
const SUMMARY_FIELDS = ["deployment_id", "model_version_id", "endpoint_name", "endpoint_url", "status"];

function summarize(manifest: Record<string, unknown>): Record<string, string> {
  const summary: Record<string, string> = {};
  for (const field of SUMMARY_FIELDS) {
    const value = manifest[field];
    if (typeof value === "string") summary[field] = value;
  }
  return summary;
}
