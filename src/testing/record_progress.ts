import {
  type ModelDeployerRequest,
  type Progress,
  progressSchema,
} from "../agents/model_deployer/state/state.ts";
import { liveThread } from "./deployer_actions.ts";
import type { DeployerUnderTest } from "./test_deployer.ts";

/** Runs the graph to its end or to its next interrupt. @returns what it told on the way, in order */
export async function recordProgress(
  { graph }: Pick<DeployerUnderTest, "graph">,
  request: ModelDeployerRequest,
  thread = liveThread(),
): Promise<Progress[]> {
  const events: Progress[] = [];
  const stream = await graph.stream({ ...request }, { ...thread, streamMode: "custom", subgraphs: true });
  for await (const chunk of stream) {
    const told: unknown = Array.isArray(chunk) ? chunk.at(-1) : chunk;
    events.push(progressSchema.parse(told));
  }
  return events;
}
