import { z } from "zod";
import { noAnswer } from "../agents/base/deadline.ts";
import { traceHeaders } from "../agents/base/tracing.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import { retrying } from "../platform/work/retries.ts";
import type { PredictionRequest } from "./pipeline_state.ts";
import { parsedJson } from "../platform/parsed_json.ts";

const TIMEOUT_MS = 5_000;
const ATTEMPTS = 4;
const SERVICE = "endpoint";

/** The fields of an answer that are read; a model without probabilities leaves `confidence` out. */
const answerSchema = z.object({
  prediction: z.json(),
  probabilities: z.array(z.number()).nullish(),
  confidence: z.number().min(0).max(1).nullish(),
  model_type: z.string(),
  model_version: z.coerce.string(),
  features_used: z.array(z.string()),
});

export interface EndpointAnswer extends z.infer<typeof answerSchema> {
  /** Which deployment answered, as the router says. */
  deployment_id: string | null;
}

/**
 * Asks whether the endpoint is healthy, then for one prediction. Each call may take 5.0 s; a temporary failure is
 * retried three times.
 * @param asking with the key or token that lets a caller in; null where the endpoint demands none
 * @throws ServiceUnavailableError | ServiceRefusedError
 */
export async function predict(
  endpointUrl: string,
  request: PredictionRequest,
  asking: { key: string | null; signal: AbortSignal },
): Promise<EndpointAnswer> {
  const again = retrying((error) => error instanceof ServiceUnavailableError && !signal.aborted, {
    attempts: ATTEMPTS,
    firstPauseMs: 100,
    longestPauseMs: 1_000,
  });
  const { key, signal } = asking;
  const authorization = key === null ? {} : { authorization: `Bearer ${key}` };
  let isHealthy = false;
  return again.execute(async () => {
    if (!isHealthy) await call(endpointUrl, "/healthz", { method: "GET", headers: authorization }, signal);
    isHealthy = true;
    const headers = { "content-type": "application/json", ...authorization };
    const init = { method: "POST", headers, body: JSON.stringify(request) };
    const answer = await call(endpointUrl, "/predict", init, signal);
    return { ...parseAnswer(endpointUrl, answer.body), deployment_id: answer.deploymentId };
  });
}

interface Answer {
  body: string;
  deploymentId: string | null;
}

interface Request {
  method: string;
  headers?: Record<string, string>;
  body?: string;
}

async function call(base: string, path: string, init: Request, signal: AbortSignal): Promise<Answer> {
  const url = `${base.replace(/\/+$/, "")}${path}`;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const headers = { ...init.headers, ...traceHeaders() };
  const response = await fetch(url, { ...init, headers, signal: limit }).catch((cause: unknown) => {
    throw silent(url, signal, cause);
  });
  const body = await response.text().catch((cause: unknown) => {
    throw silent(url, signal, cause);
  });
  if (response.ok) return { body, deploymentId: response.headers.get("x-deployment-id") };
  const message = `${url} answers ${response.status}: ${body.slice(0, 300)}`;
  const details = { status: response.status };
  if (response.status >= 500 || response.status === 429)
    throw new ServiceUnavailableError(SERVICE, message, { details });
  throw new ServiceRefusedError(SERVICE, message, { details });
}

function silent(url: string, asked: AbortSignal, cause: unknown): ServiceUnavailableError {
  const isLate = cause instanceof Error && /^(Timeout|Abort)Error$/.test(cause.name);
  const why = isLate ? noAnswer(asked, TIMEOUT_MS) : "the connection gives no whole answer";
  return new ServiceUnavailableError(SERVICE, `${url} gives no whole answer: ${why}.`, { cause });
}

function parseAnswer(base: string, body: string): z.infer<typeof answerSchema> {
  const parsed = answerSchema.safeParse(parsedJson(body));
  if (parsed.success) return parsed.data;
  const message = `${base}/predict answers outside its contract: ${z.prettifyError(parsed.error)}`;
  throw new ServiceRefusedError(SERVICE, message, { cause: parsed.error });
}
