import type { AgentError } from "../../base/agent_error.ts";
import type { Answer } from "../domain/answer.ts";
import type { Plan } from "../domain/plan.ts";
import { actionRequestSchema } from "../domain/requests.ts";
import { ConflictError, DeadlineExceededError, NotFoundError } from "../errors.ts";
import { withLeases } from "./held_lease.ts";
import { hasBegun, storedOutcome } from "./endings/operation_outcome.ts";
import type { Database, Settings } from "../ports/parts.ts";
import type { LongCallOptions } from "../ports/call_options.ts";
import type { Lease, Operation, SeenOperation } from "../ports/stores/operation_stores.ts";

import type { StepExecutor } from "./steps/step_executor.ts";
import type { Preparation } from "./preparation/preparation.ts";
import { underOwnLease } from "./preparation/prepared_operation.ts";
import { refuseOperation, requireInTime } from "./endings/refused_operation.ts";
import { isKnown } from "./required_rights.ts";
import { requireApprovals } from "./required_approvals.ts";
import { type Begun, carryOut, isFinal } from "./begun_operation.ts";
import type { RunOptions } from "./run_options.ts";

interface Prepared {
  tries: number;
  failure: AgentError | null;
}

/** How often one run plans an operation: again after a preparation, and again when a rollback's endpoint has moved. */
const PLANS = 3;

/** Carries one claimed operation to its end: plan, lease, intent, steps, last transaction. */
export class OperationRunner {
  readonly #database: Database;
  readonly #executor: StepExecutor;
  readonly #preparation: Preparation;
  readonly #settings: Settings;

  constructor(parts: {
    database: Database;
    executor: StepExecutor;
    preparation: Preparation;
    settings: Settings;
  }) {
    this.#preparation = parts.preparation;
    this.#database = parts.database;
    this.#executor = parts.executor;
    this.#settings = parts.settings;
  }

  /**
   * Continues the operation from its state in the journal.
   * @param seen read just now
   * @throws AgentError a typed one; a retryable one leaves the operation to be resumed
   */
  async run(seen: SeenOperation, options: RunOptions): Promise<Answer> {
    return this.#run(seen, options, { tries: 0, failure: null });
  }

  /** A preparation takes long and keeps nobody out, so the operation is read and planned again after it. */
  async #run({ operation, now }: SeenOperation, options: RunOptions, prepared: Prepared): Promise<Answer> {
    const stored = storedOutcome(operation);
    if (stored !== null) return stored;
    const begun = hasBegun(operation.status) ? operation.plan : null;
    const plan = begun ?? (await this.decide(operation, options, now));
    options.onPlan?.(plan);
    const { tries, failure } = prepared;
    if (failure === null && tries < PLANS && (await this.#preparation.isNeeded(plan))) {
      if (begun === null) await requireApprovals(this.#waiting(), operation, plan);
      return this.#prepareAndRun(operation, plan, options, tries);
    }
    const lease = {
      name: plan.lease_name,
      also: plan.also_leases,
      preempts: plan.preempts,
      ttl_seconds: this.#settings.lease_seconds,
    };
    return withLeases(this.#database.leases, lease, options.signal, async (held, signal, onGivenBack) => {
      const limited = { ...options, signal, onGivenBack };
      const agreed = begun
        ? { plan: begun, recorded: null }
        : await this.#beginPlan(operation, plan, held, limited);
      const parts = {
        database: this.#database,
        executor: this.#executor,
        lease_seconds: this.#settings.lease_seconds,
      };
      return carryOut(parts, operation, { ...agreed, failure }, held, limited);
    });
  }

  /** A failure of the preparation that is final is the operation's; others are raised. */
  #prepareAndRun(operation: Operation, plan: Plan, options: RunOptions, tries: number): Promise<Answer> {
    const { operation_id } = operation;
    let failure: AgentError | null = null;
    const prepare = async (limited: LongCallOptions) => {
      try {
        await this.#preparation.carryOut(plan, limited);
      } catch (error) {
        const mayPass = error instanceof ConflictError || error instanceof DeadlineExceededError;
        if (mayPass || !isFinal(error, plan)) throw error;
        failure = error;
      }
    };
    const goOn = async () => {
      const again = await this.#database.operations.see(operation_id);
      if (again === null) throw new NotFoundError(`Operation ${operation_id} does not exist.`);
      return this.#run(again, options, { tries: tries + 1, failure });
    };
    const parts = { database: this.#database, lease_seconds: this.#settings.lease_seconds };
    return underOwnLease(parts, operation, plan, options, { prepare, goOn });
  }

  /**
   * @param now the database's clock
   * @throws the refusal as its error, after it is written down
   */
  async decide(operation: Operation, options: RunOptions, now: string): Promise<Plan> {
    const request = actionRequestSchema.parse(operation.request);
    const { operation_id, requested_by } = operation;
    const is_known = isKnown(operation);
    const decision = await options.planner(request, { operation_id, requested_by, is_known, now }, options);
    if (decision.decision === "refusal")
      return refuseOperation(this.#database, operation, decision.refusal, now);
    await requireInTime(this.#database, operation, decision.plan, now);
    return decision.plan;
  }

  /** A rollback is planned again when its endpoint has moved on; any other operation fails with a conflict. */
  async #beginPlan(operation: Operation, first: Plan, lease: Lease, options: RunOptions): Promise<Begun> {
    let plan = first;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return { plan, recorded: await this.#begin(operation, plan, lease, options) };
      } catch (error) {
        const isLost = !(error instanceof ConflictError) || !plan.preempts || attempt === PLANS;
        if (isLost) throw error;
        plan = await this.decide(operation, options, await this.#database.clock.now());
      }
    }
  }

  async #begin(
    operation: Operation,
    plan: Plan,
    lease: Lease,
    options: RunOptions,
  ): Promise<Begun["recorded"]> {
    const { operation_id } = operation;
    const valid = await requireApprovals(this.#waiting(), operation, plan);
    const spent = valid
      .slice(0, plan.approvals_needed)
      .map(({ approval_id }) => ({ change: "spend_approval" as const, approval_id }));
    const begun = { ...plan, intent: [...spent, ...plan.intent] };
    const first = await this.#firstRecord(plan, options);
    const isNew = await this.#database.journal.begin(operation_id, begun, lease, first);
    if (!isNew) return null;
    return first === undefined ? [] : [first.step];
  }

  #waiting() {
    return { database: this.#database, wait_seconds: this.#settings.approval_wait_seconds };
  }

  /**
   * A first step that only changes the database is recorded with the plan, which saves a warm rollback one transaction.
   */
  async #firstRecord(plan: Plan, options: RunOptions) {
    const first = plan.steps[0];
    if (first?.do.step !== "want_route") return undefined;
    const { result, changes } = await this.#executor.execute(first.do, { signal: options.signal });
    return { step: { index: 0, step: first.do.step, result }, changes: [...changes, ...first.then] };
  }
}
