import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../agents/base/agent_error.ts";
import type { Capabilities } from "../agents/model_deployer/capabilities.ts";
import type { Advance } from "../agents/model_deployer/domain/decide_advance.ts";
import type { Rollout } from "../agents/model_deployer/domain/rollout.ts";
import type { ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import { look } from "../agents/model_deployer/nodes/advance.ts";

export interface TickReport {
  /** What each due rollout came to. */
  rollouts: { rollout_id: string; advance: Advance["advance"]; reason: string }[];
  /** Operations that were carried to their end. */
  resumed: string[];
  /** Deployments whose server was stopped. */
  drained: string[];
  /** Sentences about what could not be done in this tick and is tried in the next. */
  problems: string[];
}

export interface WorkerOptions {
  /** Ends the worker after the tick that is under way. */
  signal: AbortSignal;
  /** Pause between ticks when nothing is due. */
  idleMs?: number;
  onTick?: (report: TickReport) => void;
}

const CLAIM_SECONDS = 30;
const BATCH = 20;
const TICK_MS = 60_000;

/** Takes what lasts longer than one answer: rollouts step by step, interrupted operations, evidence and draining. */
export class Worker {
  readonly #capabilities: Capabilities;
  readonly #graph: ModelDeployerGraph;

  constructor(capabilities: Capabilities, graph: ModelDeployerGraph) {
    this.#capabilities = capabilities;
    this.#graph = graph;
  }

  /** Ticks until the signal aborts. */
  async run({ signal, idleMs = 250, onTick }: WorkerOptions): Promise<void> {
    while (!signal.aborted) {
      const report = await this.tick();
      onTick?.(report);
      await delay(idleMs, undefined, { signal }).catch(ignoreAbort);
    }
  }

  /** One round over everything that is due. A part that fails is named and does not stop the others. */
  async tick(): Promise<TickReport> {
    const report: TickReport = { rollouts: [], resumed: [], drained: [], problems: [] };
    const attempt: Attempt = async (what, work) => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        report.problems.push(`${what}: ${error.message}`);
      }
    };
    const signal = AbortSignal.timeout(TICK_MS);
    await attempt("rollouts", async () => {
      const due = await this.#capabilities.parts.database.rollouts.claimDue({
        limit: BATCH,
        claim_seconds: CLAIM_SECONDS,
      });
      for (const rollout of due) {
        await attempt(rollout.rollout_id, async () =>
          report.rollouts.push(await this.#advance(rollout, signal)),
        );
      }
    });
    await attempt("unfinished operations", () => this.#resume(report, attempt, signal));
    await attempt("draining", () => this.#drain(report, attempt, signal));
    await attempt("shadow evidence", () => this.#collectEvidence(attempt, signal));
    await attempt("outbox", async () => {
      report.problems.push(...(await this.#capabilities.delivery.deliver(BATCH, { signal })));
    });
    return report;
  }

  async #advance(rollout: Rollout, signal: AbortSignal): Promise<TickReport["rollouts"][number]> {
    const { parts, endpoints, settings } = this.#capabilities;
    const { rollout_id } = rollout;
    const now = await parts.database.clock.now();
    const context = { operation_id: "op_look", requested_by: settings.requested_by, now };
    const advance = await look(parts, endpoints, settings, rollout_id, context, { signal });
    if (advance === null) return { rollout_id, advance: "nothing", reason: "it does not exist" };
    switch (advance.advance) {
      case "nothing":
        return { rollout_id, advance: "nothing", reason: advance.why };
      case "hold":
        await parts.database.rollouts.hold(advance.change);
        break;
      case "move":
        await this.#graph.invoke(
          { deployment_action: "advance", rollout_id },
          { configurable: { thread_id: rollout_id }, context: { effects: "live" }, signal },
        );
        break;
      default:
        return advance satisfies never;
    }
    return { rollout_id, advance: advance.advance, reason: advance.verdict.reason };
  }

  async #resume(report: TickReport, attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { parts, planners, runner } = this.#capabilities;
    for (const operation of await parts.database.operations.listUnfinished(BATCH)) {
      await attempt(operation.operation_id, async () => {
        const planner = Object.entries(planners).find(([action]) => action === operation.action)?.[1];
        if (planner === undefined) return;
        await runner.run(operation.operation_id, { signal, planner, onProgress: () => undefined });
        report.resumed.push(operation.operation_id);
      });
    }
  }

  async #drain(report: TickReport, attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { parts } = this.#capabilities;
    for (const deployment of await parts.database.deployments.listDueToDrain(BATCH)) {
      const { deployment_id } = deployment;
      await attempt(deployment_id, async () => {
        await parts.server.stop(deployment_id, { signal });
        await parts.database.deployments.markDrained(deployment_id);
        report.drained.push(deployment_id);
      });
    }
  }

  async #collectEvidence(attempt: Attempt, signal: AbortSignal): Promise<void> {
    const { parts, endpoints } = this.#capabilities;
    const mirrored = (await parts.database.endpoints.list()).filter(
      (one) => one.mirror_deployment_id !== null,
    );
    for (const endpoint of mirrored) {
      await attempt(endpoint.endpoint_name, async () => {
        await endpoints.collectShadowEvidence(endpoint, { signal });
      });
    }
  }
}

type Attempt = (what: string, work: () => Promise<unknown>) => Promise<void>;

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== "AbortError") throw error;
}
