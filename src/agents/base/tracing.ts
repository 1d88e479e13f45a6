import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { isGraphBubbleUp } from "@langchain/langgraph";
import { withoutCredentials } from "./credentials.ts";

type Attributes = Record<string, string | number | boolean>;

/**
 * OpenTelemetry by its API alone: who registers an SDK sees these spans, and nobody else pays for them. Raises and
 * returns what `work` does; a run that waits for somebody has not failed.
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

function fail(span: Span, error: unknown): void {
  if (isGraphBubbleUp(error)) return;
  const failure = error instanceof Error ? error : new TypeError(String(error));
  span.setAttribute("error.type", failure.name);
  span.setStatus({ code: SpanStatusCode.ERROR, message: withoutCredentials(failure.message) });
}

/** What a request carries on of the trace that it belongs to: `traceparent`, or nothing where nobody traces. */
export function traceHeaders(): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context.active(), headers);
  return headers;
}

/** The id of the trace that is under way, 32 hex digits; null where nobody traces. */
export function activeTraceId(): string | null {
  return trace.getActiveSpan()?.spanContext().traceId ?? null;
}
