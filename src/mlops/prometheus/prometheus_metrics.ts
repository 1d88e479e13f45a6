import { request } from "undici";
import { z } from "zod";
import { AgentError } from "../../agents/base/agent_error.ts";
import { noAnswer } from "../../agents/base/deadline.ts";
import type { MetricReading } from "../../agents/model_deployer/domain/evidence/team_metrics.ts";
import {
  InvalidRequestError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { TeamMetrics } from "../../agents/model_deployer/ports/evidence/team_metrics_port.ts";
import { parsedJson } from "../../platform/parsed_json.ts";

const SERVICE = "prometheus";
/** A look waits for it, and the next window asks again. */
const TIMEOUT_MS = 3_000;
const MOST_BYTES = 1_000_000;

const sample = z.tuple([z.number(), z.string()]);
const answerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("success"),
    data: z.discriminatedUnion("resultType", [
      z.object({ resultType: z.literal("vector"), result: z.array(z.object({ value: sample.optional() })) }),
      z.object({ resultType: z.literal("scalar"), result: sample }),
      z.object({ resultType: z.literal("matrix") }),
      z.object({ resultType: z.literal("string") }),
    ]),
  }),
  z.object({ status: z.literal("error"), errorType: z.string(), error: z.string() }),
]);
type Answer = z.infer<typeof answerSchema>;

export interface PrometheusOptions {
  /** `http(s)://host[:port][/prefix]` of what answers `/api/v1/query`: Prometheus, Thanos, Mimir, VictoriaMetrics. */
  url: string;
  /** Sent as a bearer token. */
  token?: string;
  timeoutMs?: number;
}

/** Instant queries of Prometheus' HTTP API, https://prometheus.io/docs/prometheus/latest/querying/api/. */
export class PrometheusMetrics implements TeamMetrics {
  readonly #address: URL;
  readonly #headers: Record<string, string>;
  readonly #timeoutMs: number;

  constructor({ url, token, timeoutMs = TIMEOUT_MS }: PrometheusOptions) {
    this.#address = new URL(`${url.replace(/\/+$/, "")}/api/v1/query`);
    this.#headers = {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    };
    this.#timeoutMs = timeoutMs;
  }

  async check(query: string, { signal }: CallOptions): Promise<void> {
    const answer = await this.#ask(query, null, signal);
    if (answer.status === "error") {
      if (answer.errorType !== "bad_data") throw refused(query, answer.error);
      throw new InvalidRequestError(`${JSON.stringify(query)} is no PromQL: ${answer.error}.`);
    }
    const { data } = answer;
    if (data.resultType === "matrix" || data.resultType === "string") {
      throw new InvalidRequestError(
        `${JSON.stringify(query)} gives a ${data.resultType}; write a query that gives one number, such as sum(rate(...[{{since}}])).`,
      );
    }
    if (data.resultType === "vector" && data.result.length > 1) {
      throw new InvalidRequestError(
        `${JSON.stringify(query)} gives ${data.result.length} series; write a query that gives one number, such as sum(...).`,
      );
    }
  }

  async read(query: string, at: string, { signal }: CallOptions): Promise<MetricReading> {
    const answer = await this.#ask(query, at, signal);
    if (answer.status === "error") throw refused(query, answer.error);
    const { data } = answer;
    switch (data.resultType) {
      case "scalar":
        return numberOf(data.result[1]);
      case "vector": {
        const [first, ...others] = data.result;
        if (first === undefined) return { problem: "Prometheus has no data" };
        if (others.length > 0)
          return { problem: `Prometheus gives ${others.length + 1} series in place of one` };
        return first.value === undefined
          ? { problem: "Prometheus gives a histogram" }
          : numberOf(first.value[1]);
      }
      case "matrix":
      case "string":
        return { problem: `Prometheus gives a ${data.resultType} in place of one number` };
      default:
        return data satisfies never;
    }
  }

  async #ask(query: string, at: string | null, signal: AbortSignal): Promise<Answer> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(this.#timeoutMs)]);
    const time = at === null ? {} : { time: String(Date.parse(at) / 1000) };
    const body = new URLSearchParams({ query, timeout: `${this.#timeoutMs}ms`, ...time }).toString();
    try {
      signal.throwIfAborted();
      const answer = await request(this.#address, {
        method: "POST",
        headers: this.#headers,
        body,
        signal: limit,
        headersTimeout: this.#timeoutMs,
        bodyTimeout: this.#timeoutMs,
      });
      return this.#parsed(answer.statusCode, await boundedText(answer.body));
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const why = signal.aborted
        ? noAnswer(signal, this.#timeoutMs)
        : `no answer within ${this.#timeoutMs} ms`;
      throw new ServiceUnavailableError(
        SERVICE,
        `Prometheus at ${this.#address.origin} does not answer: ${why}`,
        {
          cause: error,
        },
      );
    }
  }

  #parsed(status: number, text: string): Answer {
    const answer = answerSchema.safeParse(parsedJson(text));
    const isTheirs = status === 200 || status === 400 || status === 422;
    if (answer.success && isTheirs) return answer.data;
    const said = `Prometheus at ${this.#address.origin} answers ${status}`;
    if (status === 401 || status === 403) {
      throw new ServiceRefusedError(SERVICE, `${said}: check MODEL_DEPLOYER_PROMETHEUS_TOKEN`);
    }
    if (status >= 500 || status === 429) throw new ServiceUnavailableError(SERVICE, said);
    throw new ServiceRefusedError(
      SERVICE,
      `${said} with what is no answer of /api/v1/query: check MODEL_DEPLOYER_PROMETHEUS_URL`,
    );
  }
}

const refused = (query: string, error: string): ServiceRefusedError =>
  new ServiceRefusedError(SERVICE, `Prometheus refuses ${JSON.stringify(query)}: ${error}`);

function numberOf(text: string): MetricReading {
  const value = Number(text);
  return Number.isFinite(value) ? { value } : { problem: `Prometheus gives ${text}` };
}

async function boundedText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new ServiceRefusedError(SERVICE, "Prometheus answers with more than 1 MB");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}
