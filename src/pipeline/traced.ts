import { RunnableLambda } from "@langchain/core/runnables";
import type { AgentRun } from "../agents/base/base_agent.ts";

/** Runs one step of an agent that has no graph, so that it leaves a span of that name. */
export async function traced<T>(operation: string, run: AgentRun, work: () => Promise<T>): Promise<T> {
  const step = RunnableLambda.from<undefined, T>(work);
  return step.invoke(undefined, { ...run.config, runName: operation });
}
