import { randomBytes } from "node:crypto";
import { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { isGraphBubbleUp } from "@langchain/langgraph";
import { z } from "zod";
import { AgentError } from "./agent_error.ts";
import { withoutCredentials } from "./credentials.ts";

/** A span as observability_connector reads it, which knows three statuses and counts any other as success. */
export const spanSchema = z.strictObject({
  span_id: z.string(),
  trace_id: z.string(),
  parent_span_id: z.string().nullable(),
  agent_name: z.string(),
  agent_tier: z.int().min(0).max(5),
  operation: z.string(),
  started_at: z.iso.datetime(),
  completed_at: z.iso.datetime(),
  duration_ms: z.int().min(0),
  status: z.enum(["ok", "error", "timeout"]),
  error: z.string().nullable(),
  error_type: z.string().nullable(),
  metadata: z.record(z.string(), z.json()),
});
export type Span = z.infer<typeof spanSchema>;

interface OpenSpan {
  span_id: string;
  parent_run_id: string | undefined;
  operation: string;
  started_at: Date;
}

/** An interrupt arrives as an error but is no failure: the run waits for somebody. */
function failureOf(error: unknown): Pick<Span, "status" | "error" | "error_type"> {
  if (isGraphBubbleUp(error)) return { status: "ok", error: null, error_type: null };
  const failure = error instanceof Error ? error : new TypeError(String(error));
  const timedOut =
    failure.name === "TimeoutError" ||
    (failure instanceof AgentError && failure.code === "deadline_exceeded");
  return {
    status: timedOut ? "timeout" : "error",
    error: withoutCredentials(failure.message),
    error_type: failure.name,
  };
}

/** Turns one run of a graph, its nodes and subgraphs into spans of one trace. */
export class SpanRecorder extends BaseCallbackHandler {
  readonly name = "span_recorder";
  override readonly awaitHandlers = true;
  readonly trace_id: string;
  readonly #agent: { agent_name: string; tier: number };
  readonly #open = new Map<string, OpenSpan>();
  readonly #spanIds = new Map<string, string>();
  readonly #finished: Span[] = [];

  /** `traceId` of the trace that the run belongs to; a new one where it belongs to none. */
  constructor(agent: { agent_name: string; tier: number }, traceId: string | null = null) {
    super();
    this.trace_id = traceId ?? randomBytes(16).toString("hex");
    this.#agent = agent;
  }

  /** Finished spans, in the order in which they ended. */
  get spans(): Span[] {
    return [...this.#finished];
  }

  /** The parameters in the order in which LangChain's callback manager passes them; its declaration names another. */
  override handleChainStart(
    _chain: unknown,
    _inputs: unknown,
    runId: string,
    parentRunId?: string,
    tags?: string[],
    _metadata?: Record<string, unknown>,
    _runType?: string,
    runName?: string,
  ): void {
    if (tags?.includes("langsmith:hidden") === true) {
      const parent = parentRunId === undefined ? undefined : this.#spanIds.get(parentRunId);
      if (parent !== undefined) this.#spanIds.set(runId, parent);
      return;
    }
    const span_id = randomBytes(8).toString("hex");
    this.#spanIds.set(runId, span_id);
    this.#open.set(runId, {
      span_id,
      parent_run_id: parentRunId,
      operation: runName ?? "run",
      started_at: new Date(),
    });
  }

  override handleChainEnd(_outputs: unknown, runId: string): void {
    this.#close(runId, { status: "ok", error: null, error_type: null });
  }

  override handleChainError(error: unknown, runId: string): void {
    this.#close(runId, failureOf(error));
  }

  /** Ends all open spans, the innermost first, when a run was given up and will not report its end itself. */
  abandon(error: unknown): void {
    for (const runId of [...this.#open.keys()].reverse()) this.#close(runId, failureOf(error));
  }

  #close(runId: string, outcome: Pick<Span, "status" | "error" | "error_type">): void {
    const open = this.#open.get(runId);
    if (open === undefined) return;
    this.#open.delete(runId);
    const completed = new Date();
    const parent = open.parent_run_id === undefined ? undefined : this.#spanIds.get(open.parent_run_id);
    this.#finished.push({
      span_id: open.span_id,
      trace_id: this.trace_id,
      parent_span_id: parent ?? null,
      agent_name: this.#agent.agent_name,
      agent_tier: this.#agent.tier,
      operation: open.operation,
      started_at: open.started_at.toISOString(),
      completed_at: completed.toISOString(),
      duration_ms: Math.max(0, completed.getTime() - open.started_at.getTime()),
      ...outcome,
      metadata: {},
    });
  }
}
