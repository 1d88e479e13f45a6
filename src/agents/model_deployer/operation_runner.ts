import { AgentError } from "../base/agent_error.ts";
import type { Answer } from "./domain/answer.ts";
import { conclude } from "./domain/conclude.ts";
import { remember } from "./domain/outbox_entries.ts";
import type { Decision, Plan } from "./domain/plan.ts";
import { type ActionRequest, actionRequestSchema, type DecisionContext } from "./domain/requests.ts";
import { ApprovalRequiredError, ConflictError, NotFoundError, ServiceUnavailableError } from "./errors.ts";
import { answerThatStands } from "./answer_that_stands.ts";
import { deadlineError, withLease } from "./held_lease.ts";
import { hasBegun, storedOutcome } from "./operation_outcome.ts";
import { subjectOf } from "./operation_subject.ts";
import type { Database, Settings } from "./parts.ts";
import type { CallOptions } from "./ports.ts";
import type { Lease, Operation } from "./store_ports.ts";

import { refusalError } from "./stored_errors.ts";
import type { StepExecutor } from "./step_executor.ts";
import { recordedFailure, undoSteps } from "./undo_steps.ts";

export interface PlanOptions extends CallOptions {
  /** A dry run: facts are read, and nothing is written down, not even evidence. */
  read_only?: boolean;
}
export type Planner = (
  request: ActionRequest,
  context: DecisionContext,
  options: PlanOptions,
) => Promise<Decision>;
export type OnProgress = (
  event: "step_started" | "step_done" | "step_undone",
  step: string,
  message: string,
) => void;

export interface RunOptions extends CallOptions {
  planner: Planner;
  onProgress: OnProgress;
  /** Called with the plan before its first step. */
  onPlan?: (plan: Plan) => void;
}

/** How often a rollback is planned before it loses to what moves its endpoint. */
const PLANS = 3;

/** Carries one claimed operation to its end: plan, lease, intent, steps, last transaction. */
export class OperationRunner {
  readonly #database: Database;
  readonly #executor: StepExecutor;
  readonly #settings: Settings;

  constructor(parts: { database: Database; executor: StepExecutor; settings: Settings }) {
    this.#database = parts.database;
    this.#executor = parts.executor;
    this.#settings = parts.settings;
  }

  /**
   * Goes on from wherever the journal says that the operation stands.
   * @throws AgentError a typed one; a retryable one leaves the operation to be resumed
   */
  async run(operationId: string, options: RunOptions): Promise<Answer> {
    const [operation, now] = await Promise.all([
      this.#database.operations.get(operationId),
      this.#database.clock.now(),
    ]);
    if (operation === null) throw new NotFoundError(`Operation ${operationId} does not exist.`);
    const stored = storedOutcome(operation);
    if (stored !== null) return stored;
    const begun = hasBegun(operation.status) ? operation.plan : null;
    const plan = begun ?? (await this.decide(operation, options, now));
    options.onPlan?.(plan);
    const lease = {
      name: plan.lease_name,
      preempts: plan.preempts,
      ttl_seconds: this.#settings.lease_seconds,
    };
    return withLease(this.#database.leases, lease, options.signal, async (held, signal) => {
      const limited = { ...options, signal };
      const agreed = begun ?? (await this.#beginPlan(operation, plan, held, limited));
      return this.#carryOut(operation, agreed, held, limited);
    });
  }

  /**
   * @param now the database's clock
   * @throws the refusal as its error, after it is written down
   */
  async decide(operation: Operation, options: RunOptions, now: string): Promise<Plan> {
    const request = actionRequestSchema.parse(operation.request);
    const { operation_id, requested_by } = operation;
    const decision = await options.planner(request, { operation_id, requested_by, now }, options);
    if (decision.decision === "plan") return decision.plan;
    const { refusal } = decision;
    if (refusal.code === "conflict") throw refusalError(refusal, operation_id);
    const episode = remember(operation_id, {
      event_subtype: "refusal",
      description: refusal.sentence,
      ...(await subjectOf(request, this.#database)),
      outcome_type: "failure",
      raw_content: { action: operation.action, code: refusal.code, request: JSON.stringify(request) },
      occurred_at: now,
    });
    await this.#database.journal.finish(operation_id, { status: "refused", refusal }, [episode], null);
    throw refusalError(refusal, operation_id);
  }

  /** A rollback whose endpoint has moved on since it was planned is planned again; the others lose to whoever moved it. */
  async #beginPlan(operation: Operation, first: Plan, lease: Lease, options: RunOptions): Promise<Plan> {
    let plan = first;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#begin(operation, plan, lease, options);
        return plan;
      } catch (error) {
        const isLost = !(error instanceof ConflictError) || !plan.preempts || attempt === PLANS;
        if (isLost) throw error;
        plan = await this.decide(operation, options, await this.#database.clock.now());
      }
    }
  }

  async #begin(operation: Operation, plan: Plan, lease: Lease, options: RunOptions): Promise<void> {
    const { operation_id, payload_hash } = operation;
    const valid =
      plan.approvals_needed === 0
        ? []
        : await this.#database.approvals.listValid(operation_id, {
            payload_hash,
            generation: plan.generation,
          });
    if (valid.length < plan.approvals_needed) {
      await this.#database.journal.propose(operation_id, plan);
      throw new ApprovalRequiredError(
        `${plan.summary} It needs ${plan.approvals_needed} approval by somebody else and has ${valid.length}; ` +
          `approve operation ${operation_id}, then repeat the request.`,
        { details: { operation_id, approvals_needed: plan.approvals_needed, approvals: valid.length } },
      );
    }
    const spent = valid
      .slice(0, plan.approvals_needed)
      .map(({ approval_id }) => ({ change: "spend_approval" as const, approval_id }));
    const begun = { ...plan, intent: [...spent, ...plan.intent] };
    await this.#database.journal.begin(operation_id, begun, lease, await this.#firstRecord(plan, options));
  }

  /** A plan that begins with the wanted route, as a warm rollback does, gets to the router one transaction sooner. */
  async #firstRecord(plan: Plan, options: RunOptions) {
    const first = plan.steps[0];
    if (first?.do.step !== "want_route") return undefined;
    const { result, changes } = await this.#executor.execute(first.do, options);
    return { step: { index: 0, step: first.do.step, result }, changes: [...changes, ...first.then] };
  }

  async #carryOut(operation: Operation, plan: Plan, lease: Lease, options: RunOptions): Promise<Answer> {
    const { operation_id } = operation;
    try {
      await this.#takeSteps(operation_id, plan, lease, options);
      return await this.#conclude(operation, plan, lease);
    } catch (error) {
      if (options.signal.aborted && !(options.signal.reason instanceof ConflictError)) {
        throw deadlineError(plan.summary, error);
      }
      const stands =
        error instanceof ConflictError
          ? await answerThatStands(operation, plan, this.#database, options)
          : null;
      if (stands !== null) {
        const outcome = { status: "succeeded" as const, result: { ...stands } };
        await this.#database.journal.finish(operation_id, outcome, [], lease);
        return stands;
      }
      if (isFinal(error)) await this.#giveUp(operation, plan, lease, error);
      throw error;
    }
  }

  async #conclude(operation: Operation, plan: Plan, lease: Lease): Promise<Answer> {
    const { operation_id } = operation;
    const steps = await this.#database.operations.steps(operation_id);
    const now = await this.#database.clock.now();
    const { changes, answer } = conclude(plan, steps, { now, started_at: operation.created_at });
    try {
      const outcome = { status: "succeeded" as const, result: { ...answer } };
      await this.#database.journal.finish(operation_id, outcome, changes, lease);
      return answer;
    } catch (error) {
      return this.#answerAfterLostReply(operation_id, error);
    }
  }

  /** The last transaction may have been committed though its reply was lost; what is stored then is the answer. */
  async #answerAfterLostReply(operationId: string, error: unknown): Promise<Answer> {
    if (!(error instanceof ServiceUnavailableError)) throw error;
    const operation = await this.#database.operations.get(operationId);
    const stored = operation?.status === "succeeded" ? storedOutcome(operation) : null;
    if (stored === null) throw error;
    return stored;
  }

  async #takeSteps(operationId: string, plan: Plan, lease: Lease, options: RunOptions): Promise<void> {
    const recorded = await this.#database.operations.steps(operationId);
    const failure = recordedFailure(recorded);
    if (failure !== null) throw failure;
    const done = new Set(recorded.map((step) => step.index));
    for (const [index, planned] of plan.steps.entries()) {
      if (done.has(index)) continue;
      options.signal.throwIfAborted();
      const name = planned.do.step;
      options.onProgress("step_started", name, `${name} begins`);
      const { result, changes } = await this.#executor.execute(planned.do, options);
      await this.#database.journal.record(
        operationId,
        { index, step: name, result },
        [...changes, ...planned.then],
        lease,
      );
      options.onProgress("step_done", name, `${name} is done`);
    }
  }

  /**
   * Undoes what was done, says what could not be undone, and writes the failure down.
   * @throws ConflictError when the lease is lost: the operation is then whoever's who resumes it
   */
  async #giveUp(operation: Operation, plan: Plan, lease: Lease, failure: AgentError): Promise<void> {
    const { operation_id } = operation;
    const { lease_seconds } = this.#settings;
    const undoFailures = await undoSteps(
      { database: this.#database, executor: this.#executor, lease_seconds },
      operation_id,
      plan,
      lease,
      failure,
    );
    const error = {
      code: failure.code,
      message: failure.message,
      details: { ...failure.details, undo_failures: undoFailures },
    };
    const episode = remember(operation_id, {
      event_subtype: "failure",
      description: `${plan.summary} Failed: ${failure.message}`,
      ...(await subjectOf(actionRequestSchema.parse(operation.request), this.#database)),
      outcome_type: "failure",
      raw_content: { action: operation.action, code: failure.code },
      occurred_at: await this.#database.clock.now(),
    });
    const changes = [...plan.on_failure, episode];
    await this.#database.journal.finish(operation_id, { status: "failed", error }, changes, lease);
  }
}

/** A conflict is final for the operation that met it: what it had planned for is gone. */
function isFinal(error: unknown): error is AgentError {
  return error instanceof AgentError && (!error.retryable || error instanceof ConflictError);
}
