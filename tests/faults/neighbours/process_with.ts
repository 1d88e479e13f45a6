import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import { type Capabilities, createCapabilities } from "../../../src/agents/model_deployer/capabilities.ts";
import {
  createModelDeployerGraph,
  type ModelDeployerGraph,
} from "../../../src/agents/model_deployer/graph.ts";
import type { Parts, Settings } from "../../../src/agents/model_deployer/ports/parts.ts";
import { Worker } from "../../../src/worker/worker.ts";
import type { GivenDeployer } from "../../support/deployer.ts";

export interface DeployerProcess {
  parts: Parts;
  capabilities: Capabilities;
  graph: ModelDeployerGraph;
  agent: ModelDeployerAgent;
  worker: Worker;
}

/** Another process of the same deployer, which reaches some of its parts in another way. */
export function processWith(
  given: GivenDeployer,
  parts: Partial<Parts>,
  settings: Partial<Settings> = {},
): DeployerProcess {
  const all = { ...given.capabilities.parts, ...parts };
  const capabilities = createCapabilities(all, { ...given.capabilities.settings, ...settings });
  const graph = createModelDeployerGraph(capabilities);
  const agent = new ModelDeployerAgent(graph);
  return { parts: all, capabilities, graph, agent, worker: new Worker(capabilities, graph) };
}
