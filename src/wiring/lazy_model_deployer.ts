import type { BaseCheckpointSaver } from "@langchain/langgraph";
import { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import { createCapabilities } from "../agents/model_deployer/capabilities.ts";
import type { ModelDeployer, ModelDeployerOptions } from "./model_deployer.ts";
import { createModelDeployerGraph, type ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import type { Configuration } from "./settings/configuration.ts";

/**
 * Builds everything from a parsed configuration; what has no address is brought up in the home. Drivers and engines are
 * loaded only now, so that whoever never connects needs none of them.
 * @throws ConfigurationError | ServiceUnavailableError | NotAuthenticatedError
 */
export async function createModelDeployer(
  configuration: Configuration,
  options: ModelDeployerOptions = {},
): Promise<ModelDeployer> {
  const wiring = await import("./connect_model_deployer.ts");
  return wiring.connectModelDeployer(configuration, options);
}

export interface LazyModelDeployer {
  agent: ModelDeployerAgent;
  graph: ModelDeployerGraph;
  /**
   * Connects, and brings up what has no address; once for all callers. A failed attempt is forgotten, so that the next
   * one tries again.
   * @throws ConfigurationError | ServiceUnavailableError | NotAuthenticatedError
   */
  open(): Promise<ModelDeployer>;
  /** Closes what was opened, if anything was; idempotent. */
  close(): Promise<void>;
}

/**
 * The node and its graph at once, without a connection or a process: the first valid request opens the rest. That
 * request may end in `deadline_exceeded` where servers have yet to be installed; call `open` beforehand to avoid it.
 */
export function createLazyModelDeployer(
  configuration: Configuration,
  options: ModelDeployerOptions & { checkpointer?: BaseCheckpointSaver } = {},
): LazyModelDeployer {
  let opening: Promise<ModelDeployer> | null = null;
  const open = async (): Promise<ModelDeployer> => {
    const attempt = (opening ??= createModelDeployer(configuration, options));
    try {
      return await attempt;
    } catch (error) {
      if (opening === attempt) opening = null;
      throw error;
    }
  };
  const { checkpointer } = options;
  const graph = createModelDeployerGraph(
    async () => {
      const { parts, settings } = await open();
      return createCapabilities(parts, settings);
    },
    checkpointer === undefined ? {} : { checkpointer },
  );
  return {
    agent: new ModelDeployerAgent(graph),
    graph,
    open,
    close: async () => {
      const closing = opening;
      opening = null;
      await (await closing)?.close();
    },
  };
}
