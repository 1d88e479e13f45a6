import { END, START, StateGraph } from "@langchain/langgraph";
import { inSpan } from "../../base/tracing.ts";
import {
  ActionInput,
  ActionOutput,
  ActionState,
  type ActionStateValue,
  type ActionUpdate,
} from "../action_state.ts";
import { capabilitiesOf, type CapabilitySource } from "../capabilities.ts";
import type { Plan } from "../domain/plan.ts";
import { type Action, actionRequestSchema } from "../domain/requests.ts";
import { DeadlineExceededError } from "../errors.ts";
import { hasBegun, storedOutcome } from "../operation_outcome.ts";
import { contextSchema } from "../state.ts";
import { refusalError } from "../stored_errors.ts";
import type { Operation } from "../store_ports.ts";
import { answerUpdate, unfinishedUpdate } from "./answers.ts";
import { approvalsMissing, awaitApproval } from "./approval.ts";
import { claimedOperation, claimOperation, requestOf } from "./claimed_operation.ts";
import { tellPlan, viewOf } from "./plan_view.ts";
import { effectsOf, type NodeRuntime, patienceMs, signalOf, tell } from "./runtime.ts";

/**
 * The shape that every action has: claim the operation, plan, wait for approvals, carry out. What carries out plans
 * afresh from the journal and the database, so that nothing in a state can stand in for a decision or an approval.
 */
export function actionSubgraph(capabilities: CapabilitySource) {
  const nodes = new ActionNodes(capabilities);
  return new StateGraph({
    state: ActionState,
    input: ActionInput,
    output: ActionOutput,
    context: contextSchema,
  })
    .addNode("claim", (state, runtime: NodeRuntime) => nodes.traced("claim", state, runtime))
    .addNode("plan", (state, runtime: NodeRuntime) => nodes.traced("plan", state, runtime))
    .addNode("approve", (state, runtime: NodeRuntime) => nodes.traced("approve", state, runtime))
    .addNode("carry_out", (state, runtime: NodeRuntime) => nodes.traced("carryOut", state, runtime))
    .addEdge(START, "claim")
    .addConditionalEdges("claim", afterClaim, ["plan", "carry_out", END])
    .addConditionalEdges("plan", afterPlan, ["approve", "carry_out", END])
    .addEdge("approve", "carry_out")
    .addEdge("carry_out", END)
    .compile();
}

/** Waits for nobody, so that it is planned only where it is carried out; a dry run of it is still planned. */
const STRAIGHT: readonly Action[] = ["rollback", "abort"];

function afterClaim(state: ActionStateValue): "plan" | "carry_out" | typeof END {
  if (state.status === "completed") return END;
  const isClaimed = state.operation_id !== null && state.operation_id !== undefined;
  const straight = isClaimed && STRAIGHT.includes(requestOf(state).action);
  return straight || state.operation_status === "begun" ? "carry_out" : "plan";
}

function afterPlan(state: ActionStateValue): "approve" | "carry_out" | typeof END {
  if (state.status === "completed") return END;
  return state.operation_status === "awaiting_approval" ? "approve" : "carry_out";
}

class ActionNodes {
  readonly #source: CapabilitySource;

  constructor(source: CapabilitySource) {
    this.#source = source;
  }

  /** One node in a span of its own; it bears the operation's id as soon as there is one. */
  async traced(
    node: "claim" | "plan" | "approve" | "carryOut",
    state: ActionStateValue,
    runtime: NodeRuntime,
  ): Promise<ActionUpdate> {
    const { operation_id: id, action_request: request } = state;
    const attributes = typeof id === "string" ? { operation_id: id } : {};
    return inSpan(`${request?.action ?? "unknown"}.${node}`, attributes, () => this[node](state, runtime));
  }

  /** Finds or makes the operation; a finished one answers as it did. A dry run claims nothing. */
  async claim(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return { operation_id: null, operation_status: null };
    const operation = await claimOperation(parts.database, settings, state, runtime);
    const stored = storedOutcome(operation);
    if (stored !== null) return answerUpdate(operation.operation_id, stored, []);
    const operation_status = hasBegun(operation.status) ? "begun" : "claimed";
    return { operation_id: operation.operation_id, operation_status };
  }

  async plan(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return this.#planOnly(state, runtime);
    const operation = await claimedOperation(parts.database, state);
    const stored = storedOutcome(operation);
    if (stored !== null) return answerUpdate(operation.operation_id, stored, []);
    const plan = await this.#planFor(operation, runtime);
    tellPlan(runtime, operation.operation_id, plan);
    const isWaiting = (await approvalsMissing(parts.database, operation, plan)) > 0;
    return {
      deployment_plan: viewOf(plan),
      ...(isWaiting ? { operation_status: "awaiting_approval" as const } : {}),
    };
  }

  async approve(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return {};
    const operation = await claimedOperation(parts.database, state);
    if (storedOutcome(operation) !== null) return {};
    const plan = await this.#planFor(operation, runtime);
    await awaitApproval(parts.database, operation, plan, runtime);
    return {};
  }

  async carryOut(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, planners, runner, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return this.#planOnly(state, runtime);
    const { operation_id } = await claimedOperation(parts.database, state);
    const patience = AbortSignal.timeout(patienceMs(settings));
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

  async #planFor(operation: Operation, runtime: NodeRuntime): Promise<Plan> {
    const { parts, planners, runner } = await capabilitiesOf(this.#source);
    const options = {
      signal: signalOf(runtime),
      planner: planners[actionRequestSchema.parse(operation.request).action],
      onProgress: () => undefined,
    };
    return runner.decide(operation, options, await parts.database.clock.now());
  }

  /** What would be done, as of now; an operation that the state names is left as it is. */
  async #planOnly(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, planners, settings } = await capabilitiesOf(this.#source);
    const now = await parts.database.clock.now();
    const context = { operation_id: "op_dry_run", requested_by: settings.requested_by, now };
    const request = requestOf(state);
    const options = { signal: signalOf(runtime), read_only: true };
    const decision = await planners[request.action](request, context, options);
    if (decision.decision === "refusal") throw refusalError(decision.refusal, null);
    const { plan } = decision;
    tellPlan(runtime, null, plan);
    return {
      operation_id: null,
      operation_status: null,
      deployment_plan: viewOf(plan),
      status: "completed",
      warnings: ["Dry run: nothing was changed.", ...plan.notes],
    };
  }
}
