import {
  type Deployment,
  type ShadowEvidence,
  STOPPABLE_STATUSES,
} from "../../../../agents/model_deployer/domain/entities.ts";
import type { VersionFigures } from "../../../../agents/model_deployer/domain/rollout.ts";
import type { Deployments, ShadowEvidenceStore } from "../../../../agents/model_deployer/store_ports.ts";
import { microsOf } from "../../../clock.ts";
import { isRouted, isStopping, markDrained } from "../changes/deployment_changes.ts";
import { inOrder } from "../order.ts";
import { check } from "../table.ts";
import type { DeploymentRow, EvidenceRow, Tables } from "../tables.ts";

export class InMemoryDeployments implements Deployments {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async get(deploymentId: string): Promise<Deployment | null> {
    const row = this.#tables.deployments.get(deploymentId);
    return row === null ? null : publicDeployment(row);
  }

  async listForEndpoint(endpointName: string): Promise<Deployment[]> {
    return this.#newestFirst((row) => row.endpoint_name === endpointName);
  }

  async listForVersion(modelVersionId: string): Promise<Deployment[]> {
    return this.#newestFirst((row) => row.model_version_id === modelVersionId);
  }

  async getPreviousProduction(deployment: Deployment): Promise<Deployment | null> {
    return previousProduction(this.#tables, deployment);
  }

  async claimForDraining(options: Parameters<Deployments["claimForDraining"]>[0]): Promise<Deployment[]> {
    const { deployments, clock } = this.#tables;
    const { deployment_id: only } = options;
    const isAsked = (row: DeploymentRow) => only === undefined || row.deployment_id === only;
    const due = deployments.where((row) => isAsked(row) && this.#isDue(row)).sort(byDueTime);
    return due.slice(0, options.limit).map((row) => {
      deployments.put({ ...row, stopping_until: clock.after(options.claim_seconds) });
      return publicDeployment(row);
    });
  }

  async drainAgain(deploymentId: string): Promise<void> {
    const { deployments, clock } = this.#tables;
    const row = deployments.get(deploymentId);
    if (row === null || !STOPPABLE_STATUSES.includes(row.status)) return;
    if (row.drained_at === null && row.drain_due_at !== null) return;
    deployments.put({ ...row, drained_at: null, drain_due_at: clock.now() });
  }

  async markDrained(deploymentId: string): Promise<void> {
    markDrained({ change: "mark_drained", deployment_id: deploymentId }, this.#tables);
  }

  async giveUpDraining(deploymentId: string, options: { retry_seconds: number }): Promise<void> {
    const { deployments, clock } = this.#tables;
    const row = deployments.get(deploymentId);
    if (row === null || row.stopping_until === null || row.drained_at !== null) return;
    const [, later = null] = inOrder([row.drain_due_at ?? "", clock.after(options.retry_seconds)], String);
    deployments.put({ ...row, stopping_until: null, drain_due_at: later });
  }

  #isDue(row: DeploymentRow): boolean {
    const { endpoints, clock } = this.#tables;
    if (row.drain_due_at === null || row.drained_at !== null || isStopping(this.#tables, row)) return false;
    const isReplaced = STOPPABLE_STATUSES.includes(row.status) && clock.hasPassed(row.drain_due_at);
    return isReplaced && !isRouted(row.deployment_id, endpoints.get(row.endpoint_name));
  }

  #newestFirst(matches: (row: DeploymentRow) => boolean): Deployment[] {
    const rows = this.#tables.deployments.where(matches).sort(byId);
    return inOrder(rows.reverse(), (row) => row.deployed_at)
      .reverse()
      .map(publicDeployment);
  }
}

export function publicDeployment({ stopping_until: _claim, ...deployment }: DeploymentRow): Deployment {
  return deployment;
}

const byId = (a: DeploymentRow, b: DeploymentRow): number => (a.deployment_id < b.deployment_id ? -1 : 1);

function byDueTime(a: DeploymentRow, b: DeploymentRow): number {
  const [first] = inOrder([a, b].sort(byId), (row) => row.drain_due_at ?? "");
  return first === a ? -1 : 1;
}

/**
 * Of the endpoint's production deployments that the router acknowledged with a weight above 0 before it first did so
 * for the given one: the one that served last. One that failed or was rolled back is no way back.
 */
export function previousProduction(
  tables: Tables,
  { deployment_id, endpoint_name }: Pick<Deployment, "deployment_id" | "endpoint_name">,
): Deployment | null {
  const served = new Map<string, { first: number; last: number }>();
  for (const event of tables.trafficEvents.where((row) => row.endpoint_name === endpoint_name)) {
    for (const [id, weight] of Object.entries(event.deployment_weights)) {
      if (weight <= 0) continue;
      const { first = event.generation } = served.get(id) ?? {};
      served.set(id, { first, last: event.generation });
    }
  }
  const mine = served.get(deployment_id)?.first ?? Infinity;
  const candidates = [...served].flatMap(([id, { first, last }]) => {
    const row = tables.deployments.get(id);
    if (row === null || id === deployment_id || first >= mine || !isWayBack(row)) return [];
    return [{ row, first, last }];
  });
  const [best] = candidates.sort((a, b) => b.last - a.last || b.first - a.first);
  return best === undefined ? null : publicDeployment(best.row);
}

function isWayBack({ target_stage, status }: DeploymentRow): boolean {
  return target_stage === "production" && status !== "failed" && status !== "rolled_back";
}

/** Each life of the router's counters has a row that only grows; a deployment's evidence is the sum. */
export class InMemoryShadowEvidence implements ShadowEvidenceStore {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async collect(deploymentId: string, figures: VersionFigures): Promise<ShadowEvidence> {
    const { deployments, evidence, clock } = this.#tables;
    check(figures.requests >= 0, "ml_shadow_evidence_requests_check");
    check(figures.errors >= 0, "ml_shadow_evidence_errors_check");
    const { activated_at } = deployments.require(deploymentId);
    const before = evidence.get(`${deploymentId}/${figures.epoch}`);
    const now = clock.now();
    const seen = { ...figures, deployment_id: deploymentId, began_at: now, collected_at: now };
    evidence.put(grown(before, seen));
    return this.#sum(deploymentId, activated_at, figures.epoch);
  }

  async read(deploymentId: string, epoch: string | null = null): Promise<ShadowEvidence | null> {
    const found = this.#tables.evidence.first((row) => row.deployment_id === deploymentId);
    if (found === null) return null;
    return this.#sum(deploymentId, this.#tables.deployments.get(deploymentId)?.activated_at ?? null, epoch);
  }

  #sum(deployment_id: string, activatedAt: string | null, epoch: string | null): ShadowEvidence {
    const { evidence, clock } = this.#tables;
    const rows = inOrder(
      evidence.where((row) => row.deployment_id === deployment_id),
      (row) => row.began_at,
    );
    const slowest = rows.flatMap(({ p99_ms }) => (p99_ms === null ? [] : [p99_ms]));
    return {
      deployment_id,
      hours: activatedAt === null ? 0 : seenFor(rows, activatedAt, epoch, clock.micros()) / 3_600_000_000,
      requests: rows.reduce((sum, row) => sum + row.requests, 0),
      errors: rows.reduce((sum, row) => sum + row.errors, 0),
      p99_ms: slowest.length === 0 ? null : Math.max(...slowest),
      collected_at: inOrder(rows, (row) => row.collected_at).at(-1)?.collected_at ?? clock.now(),
      comparison: null,
    };
  }
}

/** Microseconds from the activation to what was seen last, less what lies between two of the counters' lives. */
function seenFor(lives: EvidenceRow[], activatedAt: string, epoch: string | null, now: number): number {
  const activated = microsOf(activatedAt);
  const collected = lives.map((life) => microsOf(life.collected_at));
  const end = lives.at(-1)?.epoch === epoch ? now : Math.max(...collected);
  const unseen = lives.reduce((sum, life, index) => {
    const left = collected[index - 1] ?? activated;
    return left > activated ? sum + Math.max(0, microsOf(life.began_at) - left) : sum;
  }, 0);
  return Math.max(0, end - activated - unseen);
}

function grown(
  before: EvidenceRow | null,
  { deployment_id, epoch, requests, errors, p99_ms, began_at, collected_at }: EvidenceRow,
): EvidenceRow {
  if (before === null) return { deployment_id, epoch, requests, errors, p99_ms, began_at, collected_at };
  return {
    ...before,
    requests: Math.max(before.requests, requests),
    errors: Math.max(before.errors, errors),
    p99_ms: requests >= before.requests ? (p99_ms ?? before.p99_ms) : before.p99_ms,
    collected_at,
  };
}
