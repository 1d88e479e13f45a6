import type { RunnableConfig } from "@langchain/core/runnables";
import { isGraphBubbleUp } from "@langchain/langgraph";
import { AgentError, SlaExceededError, UnexpectedAgentError } from "./agent_error.ts";
import type { AgentFailure } from "./agent_state.ts";
import { publishAnswer } from "./diagnostics.ts";
import { Deadline } from "./deadline.ts";
import { type MemorySource, RunMemory } from "./memory.ts";
import { type Span, SpanRecorder } from "./spans.ts";
import { activeTraceId, inSpan } from "./tracing.ts";

/** The means of one run: the caller's LangGraph configuration, the SLA's deadline, and the agent's memory. */
export interface AgentRun<Memory extends object = object> {
  /** Its signal ends the graph a little after `signal`, so that the work can still report how it ended. */
  config: RunnableConfig;
  /** Aborted when the caller gives up or the work's deadline is over. */
  signal: AbortSignal;
  /** A memory that does not answer is named in the answer's warnings, and the run goes on. */
  memory: RunMemory<Memory>;
}

/** Spans and warnings of a run, however it ends. */
interface Shown {
  recorder: SpanRecorder;
  degraded: string[];
}

/** Shares of the SLA: when the work's deadline ends, and when the caller is answered even if the work ignores that. */
const WORK_UNTIL = 0.95;
const ANSWERED_BY = 0.985;

export interface AgentUpdate {
  status?: "pending" | "in_progress" | "completed" | "failed" | "cancelled";
  warnings?: string[];
}

export type NodeUpdate<Update> = Partial<Update> & {
  spans: Span[];
  errors?: AgentFailure[];
  status?: AgentUpdate["status"];
  warnings?: AgentUpdate["warnings"];
};

/**
 * One agent of the pipeline: who it is, how long it may take, what it remembers with, its spans and its errors. A
 * subclass says what it does in `run`; the names of the properties are the pipeline's own. `Memory` holds the memory's
 * ports that this agent uses, each by a name of its choice.
 */
export abstract class BaseAgent<Input, Update extends AgentUpdate, Memory extends object = object> {
  abstract readonly agent_name: string;
  /** 0 (ML foundation) to 5. */
  abstract readonly tier: number;
  abstract readonly tier_name: string;
  abstract readonly agent_type: string;
  /** Seconds within which `execute` answers or raises. */
  abstract readonly sla_seconds: number;
  readonly #memory: MemorySource<Memory> | null;

  /** Without a memory the agent remembers nothing, which is not a degraded part. */
  constructor(memory: MemorySource<Memory> | null = null) {
    this.#memory = memory;
  }

  protected abstract run(input: Input, run: AgentRun<Memory>): Promise<Update>;
  /** Picks what this agent reads out of a state that other agents share. */
  protected abstract pick(state: Record<string, unknown>): Input;

  /**
   * The fields that a failed run writes, so that an earlier run's answer on the same thread is not taken for this
   * one's.
   */
  protected noAnswer(): Partial<Update> {
    return {};
  }

  /**
   * Runs the agent and answers within the SLA.
   * @throws AgentError always a typed one; an interrupt passes through untouched.
   */
  async execute(input: Input, config: RunnableConfig = {}): Promise<Update & { spans: Span[] }> {
    return this.#observed(() => this.#answered(input, config, this.#shown()));
  }

  /**
   * The agent as a node of somebody's `StateGraph`. A typed error becomes an entry in `errors` and the status
   * `failed`, so that the pipeline goes on with the truth; interrupts pass through.
   */
  asNode(): (state: Record<string, unknown>, config: RunnableConfig) => Promise<NodeUpdate<Update>> {
    return async (state, config) => {
      let shown: Shown | undefined;
      try {
        return await this.#observed(async () => {
          shown = this.#shown();
          return this.#answered(this.pick(state), config, shown);
        });
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        const { recorder, degraded = [] } = shown ?? {};
        const failed: NodeUpdate<Update> = {
          ...this.noAnswer(),
          ...this.#failure(error),
          ...(degraded.length > 0 && { warnings: degraded }),
          spans: recorder?.spans ?? [],
        };
        return failed;
      }
    };
  }

  /** The pipeline's spans carry the id of the trace that is under way, so that both lead to the same run. */
  #shown(): Shown {
    const { agent_name, tier } = this;
    return { recorder: new SpanRecorder({ agent_name, tier }, activeTraceId()), degraded: [] };
  }

  async #answered(input: Input, config: RunnableConfig, shown: Shown): Promise<Update & { spans: Span[] }> {
    const update = await this.#traced(input, config, shown);
    const { recorder, degraded } = shown;
    const spans = recorder.spans;
    if (degraded.length === 0) return { ...update, spans };
    return { ...update, warnings: [...(update.warnings ?? []), ...degraded], spans };
  }

  /** One run in a span of OpenTelemetry; its outcome is published on the diagnostics channel. */
  async #observed<T extends Update>(run: () => Promise<T>): Promise<T> {
    const { agent_name, tier } = this;
    const began = performance.now();
    const told = (outcome: string, message: string, answer: object | null = null) => {
      const id: unknown = answer === null ? null : Reflect.get(answer, "operation_id");
      publishAnswer({
        message,
        agent_name,
        outcome,
        duration_ms: Math.round(performance.now() - began),
        operation_id: typeof id === "string" ? id : null,
      });
    };
    try {
      const answer = await inSpan(agent_name, { "agent.name": agent_name, "agent.tier": tier }, run);
      told("ok", `${agent_name} answered`, answer);
      return answer;
    } catch (error) {
      if (error instanceof AgentError) told(error.code, error.message, error.details);
      else told("interrupted", `${agent_name} waits`);
      throw error;
    }
  }

  #failure(error: AgentError): { status: "failed"; errors: AgentFailure[] } {
    const failure = {
      agent_name: this.agent_name,
      code: error.code,
      message: error.message,
      retryable: error.retryable,
      details: error.details,
      next: [...error.next],
      not_before: error.not_before,
      occurred_at: new Date().toISOString(),
    };
    return { status: "failed", errors: [failure] };
  }

  async #traced(input: Input, config: RunnableConfig, { recorder, degraded }: Shown): Promise<Update> {
    const slaMs = this.sla_seconds * 1000;
    const deadline = new Deadline(slaMs * WORK_UNTIL, { of: `an answer of ${this.agent_name}` });
    const sla = AbortSignal.timeout(Math.ceil(slaMs * ANSWERED_BY));
    const asked = config.signal === undefined ? [] : [config.signal];
    const given = config.callbacks;
    const callbacks =
      Array.isArray(given) || given === undefined ? [...(given ?? []), recorder] : given.copy([recorder]);
    const signal = AbortSignal.any([...asked, deadline.signal]);
    const work = deadline.run(() =>
      this.run(input, {
        config: { ...config, signal: AbortSignal.any([...asked, sla]), callbacks },
        signal,
        memory: new RunMemory(this.#memory, signal, degraded),
      }),
    );
    return raceSla(work, sla, this).catch((error: unknown) => {
      recorder.abandon(error);
      throw typed(error, this.agent_name);
    });
  }
}

/** Typed errors and interrupts stay as they are. */
function typed(error: unknown, agentName: string): unknown {
  if (error instanceof AgentError || isGraphBubbleUp(error)) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new UnexpectedAgentError(`${agentName} failed: ${message}`, { cause: error });
}

async function raceSla<T>(
  work: Promise<T>,
  sla: AbortSignal,
  agent: { agent_name: string; sla_seconds: number },
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const onAbort = () => {
    reject(
      new SlaExceededError(`${agent.agent_name} has not answered within its SLA of ${agent.sla_seconds} s.`),
    );
  };
  sla.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, late]);
  } finally {
    sla.removeEventListener("abort", onAbort);
  }
}
