import { AgentError } from "../../base/agent_error.ts";
import type { Change } from "../domain/changes.ts";
import type { PlannedStep } from "../domain/plan.ts";
import { type EndpointDrift } from "./decide.ts";
import { isRouted } from "../domain/traffic/weights.ts";
import { failedAgain } from "../domain/servers/server_restarts.ts";
import { lookAtEndpoint } from "./gather.ts";
import { enforceIngress } from "./enforced_ingress.ts";
import { withLease } from "../operations/held_lease.ts";
import { MeasuredServers } from "./capacity/measured_servers.ts";
import type { Liveness } from "../effects/remembered_misses.ts";
import type { Parts, Settings } from "../ports/parts.ts";
import type { CallOptions } from "../ports/call_options.ts";
import { type Finding, findingOf, type ReconciliationReport } from "./reconciliation_report.ts";
import { repairWaves } from "./repair_waves.ts";
import type { StepExecutor } from "../operations/steps/step_executor.ts";
import type { Lease } from "../ports/stores/operation_stores.ts";
import type { StoredEndpointFacts } from "../ports/stores/entity_stores.ts";

interface Needs {
  /** A monotonic clock in milliseconds. */
  now: () => number;
  parts: Parts;
  settings: Settings;
  executor: StepExecutor;
  liveness: Liveness;
}

interface Repair {
  lease: Lease;
  report: ReconciliationReport;
}

/** Brings one endpoint's route and servers back to what the database says, under the endpoint's lease. */
export class EndpointReconciliation {
  readonly #parts: Parts;
  readonly #settings: Settings;
  readonly #executor: StepExecutor;
  readonly #liveness: Liveness;
  readonly #measured: MeasuredServers | null;
  readonly #underWay = new Set<string>();

  constructor({ parts, settings, executor, liveness, now }: Needs) {
    this.#liveness = liveness;
    this.#measured = parts.serverUsage === undefined ? null : new MeasuredServers(parts.serverUsage, now);
    this.#parts = parts;
    this.#settings = settings;
    this.#executor = executor;
  }

  /** One look at a time: an endpoint whose servers are being started is skipped by the next round. */
  async check(
    stored: StoredEndpointFacts,
    report: ReconciliationReport,
    options: CallOptions,
  ): Promise<void> {
    const name = stored.endpoint.endpoint_name;
    if (this.#underWay.has(name)) {
      report.in_use.push(`${name}: it is being repaired`);
      return;
    }
    this.#underWay.add(name);
    try {
      await this.#check(stored, report, options);
    } finally {
      this.#underWay.delete(name);
    }
  }

  async #check(
    stored: StoredEndpointFacts,
    report: ReconciliationReport,
    options: CallOptions,
  ): Promise<void> {
    report.checked.endpoints += 1;
    report.checked.servers += stored.served.length;
    const name = stored.endpoint.endpoint_name;
    report.findings.push(...(await enforceIngress(name, this.#parts, options)));
    if (stored.busy?.kind === "held") {
      report.in_use.push(`${name}: ${stored.busy.by}`);
      return;
    }
    const { drifts, steps, changes } = await this.#look(stored, report, options);
    if (steps.length === 0 && changes.length === 0) {
      report.findings.push(...drifts.map((drift) => findingOf(drift, drift.left)));
      return;
    }
    const lease = { name, preempts: false, background: true, ttl_seconds: this.#settings.lease_seconds };
    try {
      const repair = (held: Lease, signal: AbortSignal) => this.#repair(held, report, { signal });
      report.findings.push(...(await withLease(this.#parts.database.leases, lease, options.signal, repair)));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      report.findings.push(...drifts.map((drift) => findingOf(drift, drift.left ?? error.message)));
    }
  }

  /** A difference seen without the lease may be another operation's work, so only one seen under the lease counts. */
  async #repair(lease: Lease, report: ReconciliationReport, options: CallOptions): Promise<Finding[]> {
    const { reconciliation } = this.#parts.database;
    const before = await reconciliation.endpointUnder(lease);
    if (before === null) return [];
    const { drifts, steps, changes } = await this.#look(before, report, options);
    if (changes.length > 0) await this.#apply(changes, lease);
    if (drifts.every(({ left }) => left !== null)) return drifts.map((drift) => findingOf(drift, drift.left));
    const failure = await this.#carryOut(steps, before, { lease, report }, options);
    const after = await reconciliation.endpointUnder(lease);
    const now = after === null ? null : await this.#look(after, report, options);
    if (now !== null && now.changes.length > 0) await this.#apply(now.changes, lease);
    const still = now?.drifts ?? [];
    return drifts.map((drift) => {
      const again = still.find(({ part, subject }) => part === drift.part && subject === drift.subject);
      if (again === undefined) return findingOf(drift, null);
      return findingOf(drift, drift.left ?? again.left ?? failure ?? "it is not repaired yet");
    });
  }

  /**
   * A sentence when a step failed; what was done before it or beside it stands. A shadow that cannot be started keeps
   * nobody's callers from where production is now.
   */
  async #carryOut(
    steps: PlannedStep[],
    stored: StoredEndpointFacts,
    under: Repair,
    options: CallOptions,
  ): Promise<string | null> {
    let ofShadow: string | null = null;
    for (const sideBySide of repairWaves(steps)) {
      // Waits for all of them, since the lease that they work under is released afterwards.
      const ended = await Promise.allSettled(
        sideBySide.map((chain) => this.#carryOutChain(chain, stored, under, options)),
      );
      for (const [index, one] of ended.entries()) {
        if (one.status === "rejected") throw one.reason;
        if (one.value === null) continue;
        const server = serverOf(sideBySide[index] ?? []);
        if (server === null || server !== stored.endpoint.mirror_deployment_id) return one.value;
        ofShadow = one.value;
      }
    }
    return ofShadow;
  }

  async #carryOutChain(
    chain: PlannedStep[],
    stored: StoredEndpointFacts,
    under: Repair,
    options: CallOptions,
  ): Promise<string | null> {
    try {
      for (const step of chain) {
        options.signal.throwIfAborted();
        const { changes } = await this.#executor.execute(step.do, options);
        const all = [...changes, ...step.then];
        if (all.length > 0) await this.#apply(all, under.lease);
      }
      return null;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      const server = serverOf(chain);
      if (server !== null && !options.signal.aborted) await this.#putOff(server, stored, error, under);
      return error.message;
    }
  }

  /** Delays the next attempt at a server that cannot be started, for all workers. */
  async #putOff(
    id: string,
    { served, endpoint }: StoredEndpointFacts,
    error: AgentError,
    { lease, report }: Repair,
  ): Promise<void> {
    const before = served.find(({ deployment }) => deployment.deployment_id === id)?.restarts ?? null;
    const isOnRoute = isRouted(id, endpoint);
    const failure = failedAgain(id, before, { reason: error.message, isOnRoute });
    await this.#apply([failure], lease);
    if (!isOnRoute || failure.wait_seconds === null) return;
    report.retry_seconds = Math.min(report.retry_seconds ?? Infinity, failure.wait_seconds);
  }

  async #apply(changes: Change[], lease: Lease): Promise<void> {
    await this.#parts.database.reconciliation.repair(changes, lease, this.#settings.requested_by);
  }

  #look(
    stored: StoredEndpointFacts,
    { unchecked }: ReconciliationReport,
    options: CallOptions,
  ): Promise<EndpointDrift> {
    const { router, server, database } = this.#parts;
    const measured = this.#measured === null ? {} : { usage: this.#measured };
    const looked = { router, server, clock: database.clock, liveness: this.#liveness, ...measured };
    return lookAtEndpoint(stored, looked, unchecked, options);
  }
}

/** The server that the chain is to start, be it by packaging its bento first; null for steps of the route. */
function serverOf(chain: readonly PlannedStep[]): string | null {
  const start = chain.at(-1)?.do;
  return start?.step === "start_server" ? start.deployment_id : null;
}
