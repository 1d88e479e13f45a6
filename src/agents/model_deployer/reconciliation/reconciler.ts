import { decideVersion } from "./registry_drift.ts";
import { AgentError } from "../../base/agent_error.ts";
import type { ModelVersion } from "../domain/entities.ts";
import { decideServer, type Drift } from "./decide.ts";
import { EndpointReconciliation } from "./endpoint_reconciliation.ts";
import type { Liveness } from "../effects/remembered_misses.ts";
import type { Parts, Settings } from "../ports/parts.ts";
import type { CallOptions } from "../ports/call_options.ts";
import { emptyReconciliation, findingOf, type ReconciliationReport } from "./reconciliation_report.ts";
import type { RegistryManager } from "../effects/registry_manager.ts";
import type { ServerDraining } from "../effects/server_draining.ts";
import type { StepExecutor } from "../operations/steps/step_executor.ts";

/** Endpoints, and versions, that are looked at together; a round of the worker is one such batch of each. */
const BATCH = 50;
/** How long a silent registry may hold up a round; servers have limits of their own. */
const REGISTRY_MS = 60_000;

interface Needs {
  /** A monotonic clock in milliseconds. */
  now: () => number;
  parts: Parts;
  settings: Settings;
  registry: RegistryManager;
  executor: StepExecutor;
  draining: ServerDraining;
  liveness: Liveness;
}

/**
 * Finds where MLflow, the router and the servers differ from the database, and repairs them. It works under the leases
 * of operations, looks again once it holds one, and leaves alone whatever an operation works on or is still to be
 * resumed. A generation is only ever raised.
 */
export class Reconciler {
  readonly #parts: Parts;
  readonly #registry: RegistryManager;
  readonly #draining: ServerDraining;
  readonly #endpoint: EndpointReconciliation;
  /** Where the next round goes on; null begins anew. */
  readonly #next: { endpoints: string | null; versions: string | null } = { endpoints: null, versions: null };

  constructor({ parts, settings, registry, executor, draining, liveness, now }: Needs) {
    this.#parts = parts;
    this.#registry = registry;
    this.#draining = draining;
    this.#endpoint = new EndpointReconciliation({ parts, settings, executor, liveness, now });
  }

  /** Looks at everything, once. @throws ServiceUnavailableError when the database does not answer */
  async reconcile(options: CallOptions): Promise<ReconciliationReport> {
    const report = emptyReconciliation();
    let endpoints: string | null = null;
    do endpoints = await this.#endpoints(endpoints, report, options);
    while (endpoints !== null);
    await this.#servers(report, options);
    let versions: string | null = null;
    do versions = await this.#versions(versions, report, options);
    while (versions !== null);
    return report;
  }

  /** Looks at the running servers, and at the next few endpoints and versions. @throws as `reconcile` */
  async reconcileSome(options: CallOptions): Promise<ReconciliationReport> {
    const report = emptyReconciliation();
    this.#next.endpoints = await this.#endpoints(this.#next.endpoints, report, options);
    await this.#servers(report, options);
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(REGISTRY_MS)]);
    this.#next.versions = await this.#versions(this.#next.versions, report, { signal });
    return report;
  }

  async #endpoints(
    after: string | null,
    report: ReconciliationReport,
    options: CallOptions,
  ): Promise<string | null> {
    const page = await this.#parts.database.reconciliation.endpoints({ after, limit: BATCH });
    await Promise.all(page.map((stored) => this.#endpoint.check(stored, report, options)));
    return page.length < BATCH ? null : (page.at(-1)?.endpoint.endpoint_name ?? null);
  }

  /** Servers that nobody wants are handed to draining, which claims each before it stops it. */
  async #servers(report: ReconciliationReport, options: CallOptions): Promise<void> {
    const { server, database } = this.#parts;
    const running = await database.reconciliation.servers(await server.list());
    const drifts = running.map((one) => decideServer(one)).filter((drift) => drift !== null);
    const ours = drifts.filter(({ left }) => left === null);
    for (const { subject } of ours) await database.deployments.drainAgain(subject);
    const { problems } = ours.length === 0 ? { problems: [] } : await this.#draining.drain(BATCH);
    const still = ours.length === 0 ? [] : await server.list();
    options.signal.throwIfAborted();
    const reason = (subject: string) =>
      problems.find((problem) => problem.startsWith(`${subject}:`)) ?? "the worker drains it in its turn";
    report.findings.push(
      ...drifts.map((drift) => {
        const remains = drift.left ?? (still.includes(drift.subject) ? reason(drift.subject) : null);
        return findingOf(drift, remains);
      }),
    );
  }

  async #versions(
    after: string | null,
    report: ReconciliationReport,
    options: CallOptions,
  ): Promise<string | null> {
    const page = await this.#parts.database.reconciliation.projected({ after, limit: BATCH });
    for (const version of page) await this.#version(version, report, options);
    return page.length < BATCH ? null : (page.at(-1)?.model_version_id ?? null);
  }

  async #version(version: ModelVersion, report: ReconciliationReport, options: CallOptions): Promise<void> {
    const id = version.model_version_id;
    report.checked.versions += 1;
    let drift: Drift | null = null;
    try {
      drift = decideVersion(id, await this.#registry.compare(version, options));
      if (drift === null) return;
      await this.#registry.projectStage(id, options);
      const after = decideVersion(id, await this.#registry.compare(version, options));
      report.findings.push(findingOf(drift, after === null ? null : `it shows ${after.found} again`));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (drift === null) report.unchecked.push(`${id}: ${error.message}`);
      else report.findings.push(findingOf(drift, error.message));
    }
  }
}
