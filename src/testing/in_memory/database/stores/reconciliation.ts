import type { Change } from "../../../../agents/model_deployer/domain/changes.ts";
import type { ModelVersion } from "../../../../agents/model_deployer/domain/entities.ts";
import type { Busy, RunningServer } from "../../../../agents/model_deployer/domain/reconciliation.ts";
import { isRolloutOpen } from "../../../../agents/model_deployer/domain/rollout.ts";
import type { Restarts } from "../../../../agents/model_deployer/domain/server_restarts.ts";
import type {
  Lease,
  Page,
  Reconciliation,
  StoredEndpointFacts,
} from "../../../../agents/model_deployer/store_ports.ts";
import { applyChanges } from "../changes/apply_changes.ts";
import { isRouted } from "../changes/deployment_changes.ts";
import type { DeploymentRow, EndpointRow, Tables } from "../tables.ts";
import { publicDeployment } from "./deployments.ts";
import { requireNewest } from "./leases.ts";
import { publicEndpoint } from "./readers.ts";

export class InMemoryReconciliation implements Reconciliation {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async endpoints(page: Page): Promise<StoredEndpointFacts[]> {
    const rows = pageOf(
      this.#tables.endpoints.where(() => true),
      (row) => row.endpoint_name,
      page,
    );
    return rows.map((row) => this.#facts(row, null));
  }

  async endpointUnder(lease: Lease): Promise<StoredEndpointFacts | null> {
    const row = this.#tables.endpoints.get(lease.name);
    return row === null ? null : this.#facts(row, lease.token);
  }

  async servers(deploymentIds: string[]): Promise<RunningServer[]> {
    return deploymentIds.toSorted().map((deployment_id) => {
      const row = this.#tables.deployments.get(deployment_id);
      return row === null
        ? { deployment_id, deployment: null, busy: null }
        : { deployment_id, deployment: publicDeployment(row), busy: this.#busy(row.endpoint_name, null) };
    });
  }

  async projected(page: Page): Promise<ModelVersion[]> {
    const { versions, outbox } = this.#tables;
    const underWay = outbox
      .where((row) => row.topic === "registry_projection" && row.delivered_at === null)
      .map(({ payload }) => payload["model_version_id"]);
    const known = versions.where(({ model_version_id: id }) => !underWay.includes(id));
    return pageOf(known, (row) => row.model_version_id, page);
  }

  async repair(changes: Change[], lease: Lease, requestedBy: string): Promise<void> {
    const tables = this.#tables;
    tables.transaction(() => {
      requireNewest(tables, lease);
      const context = { operation_id: null, payload_hash: null, requested_by: requestedBy, generation: null };
      applyChanges(changes, { ...context, tables });
    });
  }

  #facts(row: EndpointRow, token: number | null): StoredEndpointFacts {
    const { deployments, versions, rollouts } = this.#tables;
    const served = deployments.where(
      (one) => one.endpoint_name === row.endpoint_name && this.#isServed(one, row),
    );
    const open = rollouts.first((one) => one.endpoint_name === row.endpoint_name && isRolloutOpen(one));
    return {
      endpoint: publicEndpoint(row),
      busy: this.#busy(row.endpoint_name, token),
      candidate_id: open?.deployment_id ?? null,
      served: served.map((one) => ({
        deployment: publicDeployment(one),
        version: versions.require(one.model_version_id),
        restarts: this.#restarts(one.deployment_id),
      })),
    };
  }

  #restarts(deploymentId: string): Restarts | null {
    const { restarts, clock } = this.#tables;
    const row = restarts.get(deploymentId);
    if (row === null || row.next_try_at === null) return null;
    const { failures, last_error, next_try_at } = row;
    return { failures, last_error, next_try_at, is_due: clock.hasPassed(next_try_at) };
  }

  #isServed(row: DeploymentRow, endpoint: EndpointRow): boolean {
    const isKept = row.target_stage === "production" && row.status === "draining" && row.drained_at === null;
    const isWarm = isKept && row.drain_due_at !== null && !this.#tables.clock.hasPassed(row.drain_due_at);
    return isRouted(row.deployment_id, endpoint) || (isWarm && row.stopping_until === null);
  }

  #busy(endpointName: string, token: number | null): Busy | null {
    const { leases, operations, clock } = this.#tables;
    const lease = leases.get(endpointName);
    if (lease !== null && !lease.released && !clock.hasPassed(lease.expires_at) && lease.token !== token) {
      return { kind: "held", by: `${lease.holder} holds it since ${lease.acquired_at}` };
    }
    const left = operations.first(
      (one) => one.lease_name === endpointName && (one.status === "planned" || one.status === "carrying_out"),
    );
    return left === null
      ? null
      : { kind: "interrupted", by: `operation ${left.operation_id} is ${left.status}` };
  }
}

function pageOf<T>(rows: T[], keyOf: (row: T) => string, { after, limit }: Page): T[] {
  const behind = rows.filter((row) => after === null || keyOf(row) > after);
  return behind.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)).slice(0, limit);
}
