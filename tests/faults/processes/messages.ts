import { z } from "zod";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { restoreError } from "../../../src/agents/model_deployer/operations/endings/stored_errors.ts";
import { sentSettings } from "./sent_settings.ts";

const errorSchema = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()),
});
export type SentError = z.infer<typeof errorSchema>;

/** A process's first message: to do one action, or to be a worker until it is told to end. */
export const orderSchema = z.object({
  database_url: z.string(),
  holder: z.string(),
  settings: z.object(sentSettings),
  /** A real Envoy that this process reaches itself; else the router is in the process that gave the order. */
  envoy: z.object({ home: z.string(), envoy_path: z.string() }).nullable(),
  request: z.record(z.string(), z.unknown()).nullable(),
});
export type Order = z.infer<typeof orderSchema>;

export const toProcessSchema = z.union([
  z.object({ order: orderSchema }),
  z.object({ reply: z.int(), value: z.unknown() }),
  z.object({ reply: z.int(), error: errorSchema }),
]);

/** `asks`: the call is carried out by whoever answers; else the answer only lets the process go on and do it itself. */
const callSchema = z.object({
  call: z.int(),
  part: z.string(),
  method: z.string(),
  asks: z.boolean(),
  values: z.array(z.unknown()),
  takes_signal: z.boolean(),
});
export type Call = z.infer<typeof callSchema>;

export const fromProcessSchema = z.union([
  callSchema,
  z.object({ answer: z.record(z.string(), z.unknown()) }),
  z.object({ error: errorSchema }),
]);

export function sent(error: unknown): SentError {
  if (error instanceof AgentError) {
    const { code, message, retryable, details } = error;
    return { code, message, retryable, details };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: "untyped", message, retryable: false, details: {} };
}

export function received(error: SentError): Error {
  return error.code === "untyped" ? new TypeError(error.message) : restoreError(error);
}
