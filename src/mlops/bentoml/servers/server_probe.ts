import { Agent } from "undici";
import { z } from "zod";
import { traceHeaders } from "../../../agents/base/tracing.ts";
import type { Row, RowAnswer } from "../../../agents/model_deployer/domain/evidence/kept_rows.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type {
  PredictionLoad,
  SampleOutcome,
} from "../../../agents/model_deployer/ports/model_server_port.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";

export interface ExpectedServer {
  /** The deployment that the server was started for; after a handover it still answers with that name. */
  process: string;
  bento_tag: string;
  port: number;
  /** Absent where the server was started without one. */
  secret?: string | undefined;
}

export type Health =
  | { health: "ready"; predictions: PredictionLoad }
  /** Nothing listens, or its model is not loaded yet. */
  | { health: "waiting"; reason: string }
  /** It did not answer in time. */
  | { health: "silent"; reason: string }
  /** It answers, and every prediction of it hangs. */
  | { health: "hung"; reason: string }
  /** Another server answers there. */
  | { health: "foreign"; reason: string };

const healthSchema = z.object({
  bento_tag: z.string(),
  deployment_id: z.string().nullable(),
  ready: z.boolean(),
  predictions: z.object({
    threads: z.int(),
    under_way: z.int(),
    waiting: z.int(),
    hung: z.int(),
    oldest_seconds: z.number(),
  }),
});
const sampleSchema = z.object({
  sample: z.record(z.string(), z.unknown()).nullable(),
  /** `input_example` was saved with the model; `schema` is a row of zeros, which a sound model may refuse. */
  source: z.enum(["input_example", "schema"]).nullable(),
});
type Sample = z.infer<typeof sampleSchema>;
const errorSchema = z.object({ error: z.string(), error_type: z.string().optional() });
/** Errors that a sound model may raise for a value that it does not know. */
const unknownValue = ["ValueError", "TypeError", "KeyError"];

/** Marks a probe with the deployment that sends it, so that the service keeps the prediction out of its log. */
const probeHeader = "x-model-deployer-probe";
/** Shows that a request is the deployer's. */
const secretHeader = "x-model-deployer-secret";
const host = "127.0.0.1";
const MOST_OF_A_BODY = 10_000;
// BentoML closes idle connections after 5 s; ours must go first, or a request meets a closing one.
const KEEP_ALIVE_MS = 4000;

/** One question to a server, answered whatever its status. */
export type AskServer = (question: {
  port: number;
  path: string;
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}) => Promise<{ status: number; body: string }>;

/** Asks servers over kept-alive connections, or by the way that is given: for the health of their event loop, and their model for a prediction. */
export class ServerProbe {
  readonly #agent = new Agent({
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    connections: 4,
  });
  readonly #samples = new Map<string, Sample>();
  readonly #ask: AskServer;

  constructor(ask?: AskServer) {
    this.#ask = ask ?? ((question) => this.#askHere(question));
  }

  /** Asks `/health`, which answers even while all prediction threads are busy. */
  async health(server: ExpectedServer, signal: AbortSignal): Promise<Health> {
    try {
      const answer = await this.#request(server, "/health", signal);
      const said = healthSchema.safeParse(parsedJson(answer.body));
      const isExpected =
        said.success &&
        said.data.bento_tag === server.bento_tag &&
        said.data.deployment_id === server.process;
      if (!isExpected) return strangerOf(server, answer.status, said.data ?? null);
      const { ready, predictions } = said.data;
      if (ready) return { health: "ready", predictions };
      const { threads, hung, oldest_seconds } = predictions;
      if (hung < threads) return { health: "waiting", reason: "its model is not loaded yet" };
      const since = Math.round(oldest_seconds);
      return {
        health: "hung",
        reason: `${hung} of ${threads} predictions hang, the oldest since ${since} s`,
      };
    } catch (cause) {
      const reason = `does not answer: ${messageOf(cause)}`;
      return { health: signal.aborted ? "silent" : "waiting", reason };
    }
  }

  /** The prediction of the model's own example. */
  async sample(server: ExpectedServer, signal: AbortSignal): Promise<SampleOutcome> {
    try {
      const { sample, source } =
        this.#samples.get(server.process) ?? (await this.#learnSample(server, signal));
      if (sample === null) return { sample: "none" };
      const answer = await this.#request(server, "/invocations", signal, JSON.stringify(sample));
      const said = errorSchema.safeParse(parsedJson(answer.body));
      const isUnknown = answer.status === 400 || unknownValue.includes(said.data?.error_type ?? "");
      if (answer.status === 200 || (source === "schema" && isUnknown)) return { sample: "answered" };
      const error = said.success ? said.data.error : answer.body.slice(0, 200);
      const reason = `the sample prediction was answered with ${answer.status}: ${error}`;
      return { sample: "failed", reason };
    } catch (cause) {
      return { sample: "failed", reason: `the sample prediction was not answered: ${messageOf(cause)}` };
    }
  }

  /** A row of a caller, sent again. @throws ServiceUnavailableError where it is not answered */
  async row(server: ExpectedServer, { path, input }: Row, signal: AbortSignal): Promise<RowAnswer> {
    try {
      const { status, body } = await this.#request(server, path, signal, JSON.stringify(input));
      return { status, body: body.slice(0, MOST_OF_A_BODY) };
    } catch (cause) {
      throw new ServiceUnavailableError(
        "bentoml",
        `the server of ${server.process} does not answer: ${messageOf(cause)}`,
        { cause },
      );
    }
  }

  forget(deploymentId: string): void {
    this.#samples.delete(deploymentId);
  }

  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #learnSample(server: ExpectedServer, signal: AbortSignal): Promise<Sample> {
    const answer = await this.#request(server, "/sample", signal);
    const parsed = sampleSchema.safeParse(parsedJson(answer.body));
    if (!parsed.success) {
      const said = answer.body.slice(0, 200);
      throw new ServiceRefusedError("bentoml", `/sample answers ${answer.status} with no sample: ${said}`);
    }
    this.#samples.set(server.process, parsed.data);
    return parsed.data;
  }

  async #request(
    server: ExpectedServer,
    path: string,
    signal: AbortSignal,
    body?: string,
  ): Promise<{ status: number; body: string }> {
    return this.#ask({
      port: server.port,
      path,
      headers: {
        "content-type": "application/json",
        [probeHeader]: server.process,
        ...(server.secret !== undefined && { [secretHeader]: server.secret }),
        ...traceHeaders(),
      },
      signal,
      ...(body === undefined ? {} : { body }),
    });
  }

  async #askHere({ port, body, ...question }: Parameters<AskServer>[0]): ReturnType<AskServer> {
    const answer = await this.#agent.request({
      origin: `http://${host}:${port}`,
      method: body === undefined ? "GET" : "POST",
      ...question,
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  }
}

function strangerOf(
  server: ExpectedServer,
  status: number,
  said: Pick<z.infer<typeof healthSchema>, "bento_tag" | "deployment_id"> | null,
): Health {
  // BentoML answers so while its worker starts.
  if (status >= 500) return { health: "waiting", reason: `/health answers ${status}` };
  const who = said === null ? "no bento of ours" : `${said.bento_tag} for ${String(said.deployment_id)}`;
  return {
    health: "foreign",
    reason: `port ${server.port} is answered by ${who}, not by ${server.bento_tag}`,
  };
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
