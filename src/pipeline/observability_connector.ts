import { z } from "zod";
import { type AgentRun, type AgentUpdate, BaseAgent } from "../agents/base/base_agent.ts";
import { type Span, spanSchema } from "../agents/base/spans.ts";
import { readState } from "./read_state.ts";
import type { ObservabilitySummary, StatusCounts } from "./pipeline_state.ts";
import { traced } from "./traced.ts";

export interface Observation extends AgentUpdate {
  observability_summary: ObservabilitySummary;
}

/** Counts the spans that stand in the state; a span that is none of ours is an error and not counted as anything. */
export class ObservabilityConnectorAgent extends BaseAgent<unknown, Observation> {
  readonly agent_name = "observability_connector";
  readonly tier = 0;
  readonly tier_name = "ml_foundation";
  readonly agent_type = "standard";
  readonly sla_seconds = 10;

  protected pick(state: Record<string, unknown>): unknown {
    return state["spans"] ?? [];
  }

  protected run(spans: unknown, run: AgentRun): Promise<Observation> {
    return traced("summarize_spans", run, async () => ({
      observability_summary: summarize(readState(z.array(spanSchema), spans)),
    }));
  }
}

function summarize(spans: Span[]): ObservabilitySummary {
  const by_status = noCounts();
  const by_agent = new Map<string, StatusCounts>();
  for (const { agent_name, status } of spans) {
    const counts = by_agent.get(agent_name) ?? noCounts();
    by_agent.set(agent_name, counts);
    counts[status] += 1;
    by_status[status] += 1;
  }
  return { spans: spans.length, by_status, by_agent: Object.fromEntries(by_agent) };
}

function noCounts(): StatusCounts {
  return { ok: 0, error: 0, timeout: 0 };
}
