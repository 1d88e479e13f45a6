import { MemorySaver } from "@langchain/langgraph";
import { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import { type Capabilities, createCapabilities } from "../agents/model_deployer/capabilities.ts";
import { LOCAL_ENGINE } from "../agents/model_deployer/domain/servers/engines.ts";
import { STANDARD_LIVENESS } from "../agents/model_deployer/domain/servers/liveness.ts";
import { createModelDeployerGraph, type ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import { answerSeconds } from "../agents/model_deployer/ports/model_server_port.ts";
import type { Parts, Settings } from "../agents/model_deployer/ports/parts.ts";
import { Worker } from "../worker/worker.ts";
import { wiredDatabase } from "./wired_database.ts";
import type { Wire } from "./wire.ts";

export const TEST_SETTINGS: Settings = {
  requested_by: "ana",
  lease_seconds: 30,
  patience_seconds: 20,
  retention_seconds: 3600,
  answer_seconds: answerSeconds(),
  approval_wait_seconds: 14 * 24 * 3600,
  long_work_seconds: 3600,
  reconcile_seconds: 3600,
  liveness: STANDARD_LIVENESS,
  engines: LOCAL_ENGINE,
  default_effects: "live",
};

export interface AssembledDeployer {
  /** Every part behind the wire. */
  parts: Parts;
  settings: Settings;
  capabilities: Capabilities;
  /** Waits for approvals by interrupt. */
  graph: ModelDeployerGraph;
  /** Has no checkpointer: a missing approval is an error. */
  agent: ModelDeployerAgent;
  worker: Worker;
}

interface AssembleOptions {
  wire: Wire;
  settings?: Partial<Settings>;
  wiredStores?: readonly (keyof Parts["database"])[];
  /** The clock for waits inside the process, in milliseconds; the machine's own unless given. */
  now?: () => number;
}

/** The agent, its graph and its worker over any parts, each of which can be recorded and cut off through the wire. */
export function assembleDeployer(parts: Parts, options: AssembleOptions): AssembledDeployer {
  const { wire, wiredStores } = options;
  const wired: Parts = {
    database: wiredDatabase(parts.database, wire, wiredStores),
    registry: wire.around("registry", parts.registry),
    packager: wire.around("packager", parts.packager),
    server: wire.around("server", parts.server),
    router: wire.around("router", parts.router),
    ...(parts.serverUsage && { serverUsage: wire.around("serverUsage", parts.serverUsage) }),
    ...(parts.teamMetrics && { teamMetrics: wire.around("teamMetrics", parts.teamMetrics) }),
    ...(parts.vulnerabilities && { vulnerabilities: wire.around("vulnerabilities", parts.vulnerabilities) }),
    ...(parts.rowServers && { rowServers: wire.around("rowServers", parts.rowServers) }),
    predictionLogs: wire.around("predictionLogs", parts.predictionLogs),
    workingMemory: wire.around("workingMemory", parts.workingMemory),
    episodicMemory: wire.around("episodicMemory", parts.episodicMemory),
    proceduralMemory: wire.around("proceduralMemory", parts.proceduralMemory),
    ...(parts.notificationSender && {
      notificationSender: wire.around("notificationSender", parts.notificationSender),
    }),
  };
  const settings = { ...TEST_SETTINGS, ...options.settings };
  const capabilities = createCapabilities(wired, settings, options.now);
  const graph = createModelDeployerGraph(capabilities, { checkpointer: new MemorySaver() });
  return {
    parts: wired,
    settings,
    capabilities,
    graph,
    agent: new ModelDeployerAgent(createModelDeployerGraph(capabilities)),
    worker: new Worker(capabilities, graph),
  };
}
