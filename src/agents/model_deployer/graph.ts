import { type BaseCheckpointSaver, END, START, StateGraph } from "@langchain/langgraph";
import { DeploymentOrchestrator } from "./deployment_orchestrator.ts";
import type { Action } from "./domain/requests.ts";
import { EndpointManager } from "./endpoint_manager.ts";
import { actionSubgraph } from "./nodes/action_subgraph.ts";
import { advancePlanner } from "./nodes/advance.ts";
import { deployPlanner } from "./nodes/deploy.ts";
import { promotePlanner } from "./nodes/promote.ts";
import { registerPlanner } from "./nodes/register.ts";
import { report } from "./nodes/report.ts";
import { rollbackPlanner } from "./nodes/rollback.ts";
import { pickRequest, validatedUpdate } from "./nodes/validate_node.ts";
import type { Planner } from "./operation_runner.ts";
import { OutboxDelivery } from "./outbox_delivery.ts";
import type { Parts, Settings } from "./parts.ts";
import { RegistryManager } from "./registry_manager.ts";
import { contextSchema, ModelDeployerState, type ModelDeployerStateValue } from "./state.ts";
import { StepExecutor } from "./step_executor.ts";

export interface GraphOptions {
  checkpointer?: BaseCheckpointSaver;
}

/**
 * Validate, branch on `deployment_action`, act, report. Errors are raised typed; an approval interrupts the run where
 * there is a checkpointer to wait with.
 */
export function createModelDeployerGraph(parts: Parts, settings: Settings, options: GraphOptions = {}) {
  const registry = new RegistryManager(parts.registry, parts.database);
  const orchestrator = new DeploymentOrchestrator(parts);
  const endpoints = new EndpointManager(parts);
  const executor = new StepExecutor({ registry, orchestrator, endpoints });
  const delivery = new OutboxDelivery(parts, registry);
  const act = (planner: Planner) => actionSubgraph({ parts, settings, executor, planner });

  return new StateGraph({ state: ModelDeployerState, context: contextSchema })
    .addNode("validate_request", (state) => validatedUpdate(pickRequest(state)))
    .addNode("register", act(registerPlanner(parts)))
    .addNode("promote", act(promotePlanner(parts, endpoints)))
    .addNode("deploy", act(deployPlanner(parts, endpoints, settings)))
    .addNode("rollback", act(rollbackPlanner(parts, endpoints)))
    .addNode("advance", act(advancePlanner(parts, endpoints, settings)))
    .addNode("report", (state, runtime) => report({ parts, settings, delivery }, state, runtime))
    .addEdge(START, "validate_request")
    .addConditionalEdges("validate_request", routeByAction, [
      "register",
      "promote",
      "deploy",
      "rollback",
      "advance",
      END,
    ])
    .addEdge("register", "report")
    .addEdge("promote", "report")
    .addEdge("deploy", "report")
    .addEdge("rollback", "report")
    .addEdge("advance", "report")
    .addEdge("report", END)
    .compile({ name: "model_deployer", ...(options.checkpointer && { checkpointer: options.checkpointer }) });
}

export type ModelDeployerGraph = ReturnType<typeof createModelDeployerGraph>;

function routeByAction(state: ModelDeployerStateValue): Action | typeof END {
  return state.action_request?.action ?? END;
}
