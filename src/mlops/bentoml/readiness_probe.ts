import { Agent } from "undici";
import { z } from "zod";
import { traceHeaders } from "../../agents/base/tracing.ts";

export interface ExpectedServer {
  deployment_id: string;
  bento_tag: string;
  port: number;
}

export type ProbeOutcome =
  | { state: "ready" }
  /** Nothing answers, or not yet. */
  | { state: "waiting"; reason: string }
  /** Another server answers there. */
  | { state: "foreign"; reason: string }
  /** It answers, but not the sample prediction. */
  | { state: "failed"; reason: string };

const infoSchema = z.object({ bento_tag: z.string(), deployment_id: z.string().nullable() });
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

/** Asks servers over kept-alive connections whether they are ready. */
export class ReadinessProbe {
  readonly #agent = new Agent({
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    connections: 4,
  });
  readonly #samples = new Map<string, Sample>();

  /** `/readyz`, `/info` and a sample prediction; the latter is left out for a model that has no sample. */
  async ask(server: ExpectedServer, signal: AbortSignal): Promise<ProbeOutcome> {
    const known = this.#samples.get(server.deployment_id);
    try {
      const sampleAsked = known === undefined ? null : this.#askSample(server, known, signal);
      // A rejection is seen below; this only keeps it from counting as unhandled when an earlier one throws.
      sampleAsked?.catch(() => undefined);
      const [ready, info] = await Promise.all([
        this.#request(server, "/readyz", signal),
        this.#request(server, "/info", signal),
      ]);
      if (ready.status !== 200) return { state: "waiting", reason: `/readyz answers ${ready.status}` };
      const said = infoSchema.safeParse(parseJson(info.body));
      if (
        !said.success ||
        said.data.bento_tag !== server.bento_tag ||
        said.data.deployment_id !== server.deployment_id
      ) {
        const who = said.success
          ? `${said.data.bento_tag} for ${String(said.data.deployment_id)}`
          : "no bento of ours";
        return {
          state: "foreign",
          reason: `port ${server.port} is answered by ${who}, not by ${server.bento_tag}`,
        };
      }
      return await (sampleAsked ?? this.#askSample(server, await this.#learnSample(server, signal), signal));
    } catch (cause) {
      return { state: "waiting", reason: `does not answer: ${messageOf(cause)}` };
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
    this.#samples.set(server.deployment_id, sample);
    return sample;
  }

  async #askSample(
    server: ExpectedServer,
    { sample, source }: Sample,
    signal: AbortSignal,
  ): Promise<ProbeOutcome> {
    if (sample === null) return { state: "ready" };
    const answer = await this.#request(server, "/invocations", signal, JSON.stringify(sample));
    const refusedMadeUpRow = source === "schema" && answer.status === 400;
    if (answer.status === 200 || refusedMadeUpRow) return { state: "ready" };
    const said = errorSchema.safeParse(parseJson(answer.body));
    const reason = said.success ? said.data.error : answer.body.slice(0, 200);
    return { state: "failed", reason: `the sample prediction was answered with ${answer.status}: ${reason}` };
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
        [probeHeader]: server.deployment_id,
        ...traceHeaders(),
      },
      signal,
      ...(body === undefined ? {} : { body }),
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  }
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
