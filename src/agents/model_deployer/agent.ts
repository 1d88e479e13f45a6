import { isInterrupted } from "@langchain/langgraph";
import { type AgentRun, BaseAgent } from "../base/base_agent.ts";
import { ApprovalRequiredError } from "./errors.ts";
import { approval } from "./planning/ways_out/next_steps.ts";
import type { ModelDeployerGraph } from "./graph.ts";
import { pickRequest } from "./nodes/validate_node.ts";
import { readable, validateRequest } from "./nodes/validate_request.ts";
import {
  approvalQuestionSchema,
  type ModelDeployerAnswer,
  type ModelDeployerRequest,
  noAnswer,
} from "./state/state.ts";

/**
 * Takes a trained model from the registry to production traffic, and back again when it turns bad.
 *
 * `execute` raises typed errors; `asNode` puts them into the pipeline's state. The graph itself is `graph`.
 */
export class ModelDeployerAgent extends BaseAgent<ModelDeployerRequest, ModelDeployerAnswer> {
  readonly agent_name = "model_deployer";
  readonly tier = 0;
  readonly tier_name = "ml_foundation";
  readonly agent_type = "standard";
  readonly sla_seconds = 30;
  readonly graph: ModelDeployerGraph;

  constructor(graph: ModelDeployerGraph) {
    super();
    this.graph = graph;
  }

  protected pick(state: Record<string, unknown>): ModelDeployerRequest {
    const request: Record<string, unknown> = readable(() => pickRequest(state));
    return { deployment_action: "", ...request };
  }

  protected override noAnswer(): Partial<ModelDeployerAnswer> {
    return noAnswer;
  }

  /** @throws ModelDeployerError also for unknown fields: no other agent's fields can stand in this input */
  protected async run(input: ModelDeployerRequest, { config }: AgentRun): Promise<ModelDeployerAnswer> {
    const request = readable(() => ({ ...input }));
    validateRequest(request);
    const state = await this.graph.invoke(request, config);
    if (isInterrupted(state)) throw approvalError(state.__interrupt__.map((one): unknown => one.value));
    return answerOf(state);
  }
}

function answerOf(state: ModelDeployerGraph["~OutputType"]): ModelDeployerAnswer {
  return {
    status: state.status === "in_progress" ? "in_progress" : "completed",
    operation_id: state.operation_id ?? null,
    deployment_plan: state.deployment_plan ?? null,
    deployment_manifest: state.deployment_manifest ?? null,
    version_record: state.version_record ?? null,
    model_version_id: typeof state.model_version_id === "string" ? state.model_version_id : null,
    rollback_successful: state.rollback_successful ?? null,
    active_deployment_id: state.active_deployment_id ?? null,
    warnings: state.warnings ?? [],
    degraded: state.degraded ?? [],
  };
}

function approvalError(interrupts: unknown[]): ApprovalRequiredError {
  const [question] = approvalQuestionSchema.array().parse(interrupts);
  const { operation_id, summary } = question ?? { operation_id: "unknown", summary: "" };
  const message = `${summary} Operation ${operation_id} waits for an approval by somebody else; approve it, then repeat the request.`;
  return new ApprovalRequiredError(message, {
    details: { ...question },
    next: [approval(operation_id)],
  });
}
