import { Agent } from "undici";
import { z } from "zod";
import { traceHeaders } from "../../agents/base/tracing.ts";
import type { PredictionLoad } from "../../agents/model_deployer/ports.ts";

export interface ExpectedServer {
  /** The deployment that it was started for, which one that was handed over still names. */
  process: string;
  bento_tag: string;
  port: number;
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

/** `none` for a model that tells no row to ask for. */
export type SampleOutcome = { sample: "answered" | "none" } | { sample: "failed"; reason: string };

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
const errorSchema = z.object({ error: z.string() });

/** Names the deployment that asks about itself, so that the service keeps the prediction out of its log. */
const probeHeader = "x-model-deployer-probe";
const host = "127.0.0.1";
// BentoML closes idle connections after 5 s; ours must go first, or a request meets a closing one.
const keepAliveMs = 4000;

/** Asks servers over kept-alive connections: their event loop how they are, and their model for a prediction. */
export class ServerProbe {
  readonly #agent = new Agent({
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    connections: 4,
  });
  readonly #samples = new Map<string, Sample>();

  /** `/health`, which no prediction holds up. */
  async health(server: ExpectedServer, signal: AbortSignal): Promise<Health> {
    try {
      const answer = await this.#request(server, "/health", signal);
      const said = healthSchema.safeParse(parseJson(answer.body));
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
      const refusedMadeUpRow = source === "schema" && answer.status === 400;
      if (answer.status === 200 || refusedMadeUpRow) return { sample: "answered" };
      const said = errorSchema.safeParse(parseJson(answer.body));
      const error = said.success ? said.data.error : answer.body.slice(0, 200);
      const reason = `the sample prediction was answered with ${answer.status}: ${error}`;
      return { sample: "failed", reason };
    } catch (cause) {
      return { sample: "failed", reason: `the sample prediction was not answered: ${messageOf(cause)}` };
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
    const parsed = sampleSchema.safeParse(parseJson(answer.body));
    const sample = parsed.success ? parsed.data : { sample: null, source: null };
    this.#samples.set(server.process, sample);
    return sample;
  }

  async #request(
    server: ExpectedServer,
    path: string,
    signal: AbortSignal,
    body?: string,
  ): Promise<{ status: number; body: string }> {
    const answer = await this.#agent.request({
      origin: `http://${host}:${server.port}`,
      path,
      method: body === undefined ? "GET" : "POST",
      headers: {
        "content-type": "application/json",
        [probeHeader]: server.process,
        ...traceHeaders(),
      },
      signal,
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
