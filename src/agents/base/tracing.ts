import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { withoutCredentials } from "./credentials.ts";

type Attributes = Record<string, string | number | boolean>;

/**
 * Runs `work` in a span and returns or raises the same; an interrupt does not mark the span as failed. Uses
 * OpenTelemetry's API alone: without a registered SDK it costs nothing.
 */
export async function inSpan<T>(
  name: string,
  attributes: Attributes,
  work: () => Promise<T>,
  kind: "internal" | "client" = "internal",
): Promise<T> {
  const options = { attributes, kind: kind === "client" ? SpanKind.CLIENT : SpanKind.INTERNAL };
  return trace.getTracer("model-deployer").startActiveSpan(name, options, async (span) => {
    try {
      return await work();
    } catch (error) {
      fail(span, error);
      throw error;
    } finally {
      span.end();
    }
  });
}

/** By the mark that LangGraph gives an interrupt: loading it for this alone would take longer than a command's whole work. */
const isInterrupt = (error: unknown): boolean =>
  error instanceof Error && "is_bubble_up" in error && error.is_bubble_up === true;

function fail(span: Span, error: unknown): void {
  if (isInterrupt(error)) return;
  const failure = error instanceof Error ? error : new TypeError(String(error));
  span.setAttribute("error.type", failure.name);
  span.setStatus({ code: SpanStatusCode.ERROR, message: withoutCredentials(failure.message) });
}

/** Headers that continue the current trace in another service: `traceparent`, or none where no trace is recorded. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

/** The current trace's id, 32 hex digits; null where no trace is recorded. */
export function activeTraceId(): string | null {
  return trace.getActiveSpan()?.spanContext().traceId ?? null;
}
