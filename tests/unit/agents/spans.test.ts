import { END, interrupt, MemorySaver, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { type Span, SpanRecorder, spanSchema } from "../../../src/agents/base/spans.ts";

class TooLate extends AgentError {
  readonly code = "deadline_exceeded";
  readonly retryable = true;
}

const State = new StateSchema({ wanted: z.string().optional() });

/** Runs `outer > inner > work` and gives the spans, however it ends. */
async function spansOf(work: () => Promise<Record<string, never>>): Promise<Span[]> {
  const inner = new StateGraph({ state: State })
    .addNode("work", work)
    .addEdge(START, "work")
    .addEdge("work", END)
    .compile();
  const outer = new StateGraph({ state: State })
    .addNode("inner", inner)
    .addEdge(START, "inner")
    .addEdge("inner", END)
    .compile({ name: "outer", checkpointer: new MemorySaver() });
  const recorder = new SpanRecorder({ agent_name: "scout", tier: 3 });
  await outer
    .invoke({}, { callbacks: [recorder], configurable: { thread_id: "1" } })
    .catch((error: unknown) => error);
  return recorder.spans.map((span) => spanSchema.parse(span));
}

const named = (spans: Span[], operation: string) =>
  spans.find((span) => span.operation === operation) ?? expect.fail(`no span ${operation}`);

test("each node has a span of one trace under the node or graph that called it", async () => {
  const spans = await spansOf(async () => ({}));
  expect(new Set(spans.map((span) => span.trace_id)).size).toBe(1);
  const root = named(spans, "outer");
  expect(root.parent_span_id).toBeNull();
  expect(root.span_id).toMatch(/^[0-9a-f]{16}$/);
  expect(root.trace_id).toMatch(/^[0-9a-f]{32}$/);
  const ids = new Map(spans.map((span) => [span.span_id, span]));
  const ancestors = (span: Span): string[] => {
    const parent = ids.get(span.parent_span_id ?? "");
    return parent === undefined ? [] : [parent.operation, ...ancestors(parent)];
  };
  expect(ancestors(named(spans, "work")).at(-1)).toBe("outer");
  expect(ancestors(named(spans, "work"))).toContain("inner");
  expect(spans.every((span) => span.status === "ok" && span.duration_ms >= 0)).toBe(true);
  expect(spans.every((span) => span.agent_name === "scout" && span.agent_tier === 3)).toBe(true);
});

test("a failure is in every span that it went through, with its type and message", async () => {
  const spans = await spansOf(() => Promise.reject(new RangeError("too far")));
  for (const name of ["work", "outer"]) {
    expect(named(spans, name)).toMatchObject({ status: "error", error: "too far", error_type: "RangeError" });
  }
});

test("a deadline that is over is a timeout, whoever's it was", async () => {
  const ours = await spansOf(() => Promise.reject(new TooLate("late")));
  expect(named(ours, "work")).toMatchObject({ status: "timeout", error_type: "TooLate" });
  const signal = await spansOf(() =>
    Promise.reject(new DOMException("The operation timed out", "TimeoutError")),
  );
  expect(named(signal, "work").status).toBe("timeout");
});

test("a run that waits for somebody has not failed", async () => {
  const spans = await spansOf(async () => {
    interrupt("may I?");
    return {};
  });
  expect(spans.map((span) => span.status)).not.toContain("error");
});
