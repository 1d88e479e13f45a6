import { createHash } from "node:crypto";
import { END, START, StateGraph } from "@langchain/langgraph";
import canonicalize from "canonicalize";
import { capabilitiesOf, type CapabilitySource } from "../capabilities.ts";
import type { Plan } from "../domain/plan.ts";
import { planDifferences } from "../domain/plan_difference.ts";
import { type Action, type ActionRequest, actionRequestSchema } from "../domain/requests.ts";
import { DeadlineExceededError, InvalidRequestError } from "../errors.ts";
import { hasBegun, storedOutcome } from "../operation_outcome.ts";
import { refusalError } from "../stored_errors.ts";
import {
  contextSchema,
  ModelDeployerState,
  type ModelDeployerStateValue,
  type ModelDeployerUpdate,
  type PlanView,
} from "../state.ts";
import { awaitApproval } from "./approval.ts";
import { answerUpdate, unfinishedUpdate } from "./answers.ts";
import { effectsOf, type NodeRuntime, signalOf, tell } from "./runtime.ts";

/**
 * The shape that every action has: claim the operation, plan, wait for approvals, carry out. What carries out plans
 * afresh from the journal and the database, so that nothing in a state can stand in for a decision or an approval.
 */
export function actionSubgraph(capabilities: CapabilitySource) {
  const nodes = new ActionNodes(capabilities);
  return new StateGraph({ state: ModelDeployerState, context: contextSchema })
    .addNode("claim", (state, runtime: NodeRuntime) => nodes.claim(state, runtime))
    .addNode("plan", (state, runtime: NodeRuntime) => nodes.plan(state, runtime))
    .addNode("approve", (state, runtime: NodeRuntime) => nodes.approve(state, runtime))
    .addNode("carry_out", (state, runtime: NodeRuntime) => nodes.carryOut(state, runtime))
    .addEdge(START, "claim")
    .addConditionalEdges("claim", afterClaim, ["plan", "carry_out", END])
    .addConditionalEdges("plan", afterPlan, ["approve", "carry_out", END])
    .addEdge("approve", "carry_out")
    .addEdge("carry_out", END)
    .compile();
}

/** Waits for nobody, so that it is planned only where it is carried out; a dry run of it is still planned. */
const STRAIGHT: readonly Action[] = ["rollback", "abort"];

function afterClaim(state: ModelDeployerStateValue): "plan" | "carry_out" | typeof END {
  if (state.status === "completed") return END;
  const isClaimed = state.operation_id !== null && state.operation_id !== undefined;
  const straight = isClaimed && STRAIGHT.includes(requestOf(state).action);
  return straight || state.operation_status === "begun" ? "carry_out" : "plan";
}

function afterPlan(state: ModelDeployerStateValue): "approve" | "carry_out" | typeof END {
  if (state.operation_id === null || state.operation_id === undefined) return END;
  return (state.deployment_plan?.approvals_needed ?? 0) > 0 ? "approve" : "carry_out";
}

function viewOf(plan: Plan): PlanView {
  const { summary, approvals_needed, generation, notes } = plan;
  return {
    summary,
    steps: plan.steps.map((planned) => planned.do.step),
    differences: planDifferences(plan),
    approvals_needed,
    generation,
    notes,
  };
}

function tellPlan(runtime: NodeRuntime, operation_id: string | null, plan: Plan): void {
  tell(runtime, { event: "planned", operation_id, step: null, message: plan.summary });
}

class ActionNodes {
  readonly #source: CapabilitySource;

  constructor(source: CapabilitySource) {
    this.#source = source;
  }

  /** Finds or makes the operation; a finished one answers as it did. A dry run claims nothing. */
  async claim(state: ModelDeployerStateValue, runtime: NodeRuntime): Promise<ModelDeployerUpdate> {
    const { parts, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return { operation_id: null, operation_status: null };
    const request = requestOf(state);
    const operation = await parts.database.journal.claim({
      request_id: state.idempotency_key ?? null,
      payload_hash: hashOf(request),
      action: request.action,
      requested_by: settings.requested_by,
      request: { ...request },
    });
    const stored = storedOutcome(operation);
    if (stored !== null) return answerUpdate(operation.operation_id, stored, []);
    const operation_status = hasBegun(operation.status) ? "begun" : "claimed";
    return { operation_id: operation.operation_id, operation_status };
  }

  async plan(state: ModelDeployerStateValue, runtime: NodeRuntime): Promise<ModelDeployerUpdate> {
    const plan = await this.#makePlan(state, runtime);
    tellPlan(runtime, state.operation_id ?? null, plan);
    const view = viewOf(plan);
    if (state.operation_id !== null) return { deployment_plan: view };
    return { deployment_plan: view, status: "completed", warnings: ["Dry run: nothing was changed."] };
  }

  async approve(state: ModelDeployerStateValue, runtime: NodeRuntime): Promise<ModelDeployerUpdate> {
    const operationId = claimedOperation(state);
    const plan = await this.#makePlan(state, runtime);
    const { database } = (await capabilitiesOf(this.#source)).parts;
    await awaitApproval({ database, operationId, payloadHash: hashOf(requestOf(state)), plan }, runtime);
    return {};
  }

  async carryOut(state: ModelDeployerStateValue, runtime: NodeRuntime): Promise<ModelDeployerUpdate> {
    const operation_id = claimedOperation(state);
    const { parts, planners, runner, settings } = await capabilitiesOf(this.#source);
    const patience = AbortSignal.timeout(settings.patience_seconds * 1000);
    let deployment_plan = state.deployment_plan ?? null;
    try {
      const answer = await runner.run(operation_id, {
        signal: AbortSignal.any([signalOf(runtime), patience]),
        planner: planners[requestOf(state).action],
        onPlan: (plan) => {
          if (deployment_plan === null) tellPlan(runtime, operation_id, plan);
          deployment_plan = viewOf(plan);
        },
        onProgress: (event, step, message) => {
          tell(runtime, { event, operation_id, step, message });
        },
      });
      tell(runtime, { event: "done", operation_id, step: null, message: "The action is done." });
      return { ...answerUpdate(operation_id, answer, []), deployment_plan };
    } catch (error) {
      if (!(error instanceof DeadlineExceededError) || !patience.aborted) throw error;
      return { ...(await unfinishedUpdate(parts.database, operation_id)), deployment_plan };
    }
  }

  async #makePlan(state: ModelDeployerStateValue, runtime: NodeRuntime): Promise<Plan> {
    const { parts, planners, runner, settings } = await capabilitiesOf(this.#source);
    const planner = planners[requestOf(state).action];
    const options = { signal: signalOf(runtime), planner, onProgress: () => undefined };
    const now = await parts.database.clock.now();
    if (state.operation_id !== null && state.operation_id !== undefined) {
      const operation = await parts.database.operations.get(state.operation_id);
      if (operation !== null) return runner.decide(operation, options, now);
    }
    const context = { operation_id: "op_dry_run", requested_by: settings.requested_by, now };
    const decision = await planner(requestOf(state), context, { ...options, read_only: true });
    if (decision.decision === "refusal") throw refusalError(decision.refusal, null);
    return decision.plan;
  }
}

function requestOf(state: ModelDeployerStateValue): ActionRequest {
  const parsed = actionRequestSchema.safeParse(state.action_request);
  if (parsed.success) return parsed.data;
  throw new InvalidRequestError("The state holds no validated request; begin at the graph's first node.", {
    cause: parsed.error,
  });
}

function claimedOperation(state: ModelDeployerStateValue): string {
  if (typeof state.operation_id === "string") return state.operation_id;
  throw new InvalidRequestError("The state names no claimed operation; begin at the graph's first node.");
}

/** sha256 of the request in canonical JSON (RFC 8785). */
function hashOf(request: ActionRequest): string {
  const canonical = canonicalize(request) ?? "";
  return createHash("sha256").update(canonical).digest("hex");
}
