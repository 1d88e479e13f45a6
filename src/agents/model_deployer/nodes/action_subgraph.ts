import { END, START, StateGraph } from "@langchain/langgraph";
import { inSpan } from "../../base/tracing.ts";
import {
  ActionInput,
  ActionOutput,
  ActionState,
  type ActionStateValue,
  type ActionUpdate,
} from "./action_state.ts";
import { capabilitiesOf, type CapabilitySource } from "../capabilities.ts";
import type { Plan } from "../domain/plan.ts";
import { actionRequestSchema } from "../domain/requests.ts";
import { DeadlineExceededError } from "../errors.ts";
import { hasBegun, storedOutcome } from "../operations/endings/operation_outcome.ts";
import { contextSchema } from "../state/state.ts";
import { refusalError } from "../operations/endings/stored_errors.ts";
import type { SeenOperation } from "../ports/stores/operation_stores.ts";
import { answerUpdate, unfinishedUpdate } from "./answer_updates.ts";
import { approvalsMissing, awaitApproval } from "./approval.ts";
import { branch } from "./branch.ts";
import { claimedOperation, claimOperation, requestOf } from "./claimed_operation.ts";
import { isKnown, requireRight } from "../operations/required_rights.ts";
import { tellPlan, viewOf } from "./plan_view.ts";
import {
  withShortSilence,
  effectsOf,
  isUrgent,
  type NodeRuntime,
  patienceMs,
  signalOf,
  tell,
} from "./runtime.ts";

/**
 * The nodes of every action: claim the operation, plan, wait for approvals, carry out. The last one plans again from
 * the journal and the database, so that nothing in a state can replace a decision or an approval.
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
    .addConditionalEdges("claim", branch("after_claim", afterClaim), ["plan", "carry_out", END])
    .addConditionalEdges("plan", branch("after_plan", afterPlan), ["approve", "carry_out", END])
    .addEdge("approve", "carry_out")
    .addEdge("carry_out", END)
    .compile({ name: "operation" });
}

function afterClaim(state: ActionStateValue): "plan" | "carry_out" | typeof END {
  if (state.status === "completed") return END;
  const isClaimed = state.operation_id !== null && state.operation_id !== undefined;
  // An urgent action waits for no approval, so it is only planned where it is carried out; its dry run is planned here.
  const skipsPlan = isClaimed && isUrgent(requestOf(state));
  return skipsPlan || state.operation_status === "begun" ? "carry_out" : "plan";
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
    const work = () =>
      inSpan(`${request?.action ?? "unknown"}.${node}`, attributes, () => this[node](state, runtime));
    return isUrgent(request) ? withShortSilence(work) : work();
  }

  /** Finds or makes the operation; a finished one answers as it did. A dry run claims nothing. */
  async claim(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return { operation_id: null, operation_status: null };
    await requireRight(parts.database, settings, "act", requestOf(state));
    const operation = await claimOperation(parts.database, settings, state, runtime);
    const stored = storedOutcome(operation);
    if (stored !== null) return answerUpdate(operation.operation_id, stored, []);
    const operation_status = hasBegun(operation.status) ? "begun" : "claimed";
    return { operation_id: operation.operation_id, operation_status };
  }

  async plan(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return this.#planOnly(state, runtime);
    const seen = await claimedOperation(parts.database, state);
    const { operation } = seen;
    const stored = storedOutcome(operation);
    if (stored !== null) return answerUpdate(operation.operation_id, stored, []);
    const plan = await this.#planFor(seen, runtime);
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
    const seen = await claimedOperation(parts.database, state);
    const { operation } = seen;
    if (storedOutcome(operation) !== null) return {};
    const plan = await this.#planFor(seen, runtime);
    const waiting = { database: parts.database, wait_seconds: settings.approval_wait_seconds };
    await awaitApproval(waiting, operation, plan, runtime);
    return {};
  }

  async carryOut(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, planners, runner, settings } = await capabilitiesOf(this.#source);
    if (effectsOf(runtime, settings) === "dry-run") return this.#planOnly(state, runtime);
    const seen = await claimedOperation(parts.database, state);
    const { operation_id } = seen.operation;
    const patience = AbortSignal.timeout(patienceMs(settings));
    let deployment_plan = state.deployment_plan ?? null;
    let underWay: string | null = null;
    try {
      const answer = await runner.run(seen, {
        signal: AbortSignal.any([signalOf(runtime), patience]),
        planner: planners[requestOf(state).action],
        onPlan: (plan) => {
          if (deployment_plan === null) tellPlan(runtime, operation_id, plan);
          deployment_plan = viewOf(plan);
        },
        onProgress: (event, step, message) => {
          underWay = event === "under_way" ? message : null;
          tell(runtime, { event, operation_id, step, message });
        },
      });
      tell(runtime, { event: "done", operation_id, step: null, message: "The action is done." });
      return { ...answerUpdate(operation_id, answer, []), deployment_plan };
    } catch (error) {
      if (!(error instanceof DeadlineExceededError) || !patience.aborted) throw error;
      return { ...(await unfinishedUpdate(parts.database, operation_id, underWay)), deployment_plan };
    }
  }

  async #planFor({ operation, now }: SeenOperation, runtime: NodeRuntime): Promise<Plan> {
    const { planners, runner } = await capabilitiesOf(this.#source);
    const options = {
      signal: signalOf(runtime),
      planner: planners[actionRequestSchema.parse(operation.request).action],
      onProgress: () => undefined,
    };
    return runner.decide(operation, options, now);
  }

  /** The plan as of now, without claiming anything; an operation that the state names is left as it is. */
  async #planOnly(state: ActionStateValue, runtime: NodeRuntime): Promise<ActionUpdate> {
    const { parts, planners, settings } = await capabilitiesOf(this.#source);
    const request = requestOf(state);
    await requireRight(parts.database, settings, "look", request);
    const now = await parts.database.clock.now();
    const { requested_by, origin = null } = settings;
    const person = await parts.database.access.personOf(requested_by, origin);
    const is_known = isKnown({ person, asked_from: origin });
    const context = { operation_id: "op_dry_run", requested_by, is_known, now };
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
