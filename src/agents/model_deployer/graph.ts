import { type BaseCheckpointSaver, END, START, StateGraph } from "@langchain/langgraph";
import { capabilitiesOf, type CapabilitySource } from "./capabilities.ts";
import { actionSubgraph } from "./nodes/action_subgraph.ts";
import { branch } from "./nodes/branch.ts";
import { report } from "./nodes/report.ts";
import { validatedUpdate } from "./nodes/validate_node.ts";
import { contextSchema, ModelDeployerState, type ModelDeployerStateValue } from "./state/state.ts";

export interface GraphOptions {
  checkpointer?: BaseCheckpointSaver;
}

/**
 * Validate, branch on `deployment_action`, act, report. Errors are raised typed; an approval interrupts the run where
 * there is a checkpointer to wait with, which keeps each step before the next one begins unless a run asks for other
 * `durability`.
 */
export function createModelDeployerGraph(capabilities: CapabilitySource, options: GraphOptions = {}) {
  return new StateGraph({ state: ModelDeployerState, context: contextSchema })
    .addNode("validate_request", validatedUpdate)
    .addNode("register", actionSubgraph(capabilities))
    .addNode("promote", actionSubgraph(capabilities))
    .addNode("deploy", actionSubgraph(capabilities))
    .addNode("rollback", actionSubgraph(capabilities))
    .addNode("remove", actionSubgraph(capabilities))
    .addNode("restart", actionSubgraph(capabilities))
    .addNode("update", actionSubgraph(capabilities))
    .addNode("control_rollout", actionSubgraph(capabilities))
    .addNode("advance", actionSubgraph(capabilities))
    .addNode("report", async (state, runtime) => report(await capabilitiesOf(capabilities), state, runtime))
    .addEdge(START, "validate_request")
    .addConditionalEdges("validate_request", branch("route_by_action", routeByAction))
    .addEdge("register", "report")
    .addEdge("promote", "report")
    .addEdge("deploy", "report")
    .addEdge("rollback", "report")
    .addEdge("remove", "report")
    .addEdge("restart", "report")
    .addEdge("update", "report")
    .addEdge("control_rollout", "report")
    .addEdge("advance", "report")
    .addEdge("report", END)
    .compile({ name: "model_deployer", ...options })
    .withConfig({ durability: "sync" });
}

export type ModelDeployerGraph = ReturnType<typeof createModelDeployerGraph>;

type ActionNode =
  | "register"
  | "promote"
  | "deploy"
  | "rollback"
  | "remove"
  | "restart"
  | "update"
  | "control_rollout"
  | "advance";

function routeByAction(state: ModelDeployerStateValue): ActionNode | typeof END {
  const action = state.action_request?.action;
  switch (action) {
    case undefined:
      return END;
    case "pause":
    case "resume":
    case "abort":
    case "promote_now":
    case "retry":
      return "control_rollout";
    default:
      return action;
  }
}
