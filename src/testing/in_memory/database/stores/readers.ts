import {
  type Endpoint,
  type ModelVersion,
  type ShadowEvidence,
  shadowEvidenceSchema,
} from "../../../../agents/model_deployer/domain/entities.ts";
import { isRolloutOpen, type Rollout } from "../../../../agents/model_deployer/domain/rollout.ts";
import type {
  DatabaseClock,
  Endpoints,
  History,
  HistoryEvent,
  ModelVersions,
  RollbackFactsReader,
  StoredRollbackFacts,
} from "../../../../agents/model_deployer/store_ports.ts";
import { microsOf } from "../../../clock.ts";
import { inOrder } from "../order.ts";
import type { EndpointRow, RolloutRow, Tables } from "../tables.ts";
import { previousProduction } from "./deployments.ts";

export class InMemoryModelVersions implements ModelVersions {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async get(modelVersionId: string): Promise<ModelVersion | null> {
    return this.#tables.versions.get(modelVersionId);
  }

  async getByRun(experimentId: string, mlflowRunId: string): Promise<ModelVersion | null> {
    return this.#tables.versions.first(
      (row) => row.experiment_id === experimentId && row.mlflow_run_id === mlflowRunId,
    );
  }

  async getProduction(experimentId: string): Promise<ModelVersion | null> {
    return this.#tables.versions.first(
      (row) => row.experiment_id === experimentId && row.stage === "production",
    );
  }

  async list(experimentId: string): Promise<ModelVersion[]> {
    const rows = this.#tables.versions.where((row) => row.experiment_id === experimentId);
    return inOrder(rows, (row) => row.registered_at);
  }
}

export class InMemoryEndpoints implements Endpoints {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async get(endpointName: string): Promise<Endpoint | null> {
    const row = this.#tables.endpoints.get(endpointName);
    return row === null ? null : publicEndpoint(row);
  }

  async list(): Promise<Endpoint[]> {
    const rows = this.#tables.endpoints.where(() => true);
    return rows.sort((a, b) => (a.endpoint_name < b.endpoint_name ? -1 : 1)).map(publicEndpoint);
  }

  async listMirrored({ after, limit }: { after: string; limit: number }): Promise<Endpoint[]> {
    const mirrored = (await this.list()).filter((one) => one.mirror_deployment_id !== null);
    return mirrored.filter(({ endpoint_name }) => endpoint_name > after).slice(0, limit);
  }
}

export function publicEndpoint({
  wanted_at: _at,
  wanted_by: _by,
  wanted_reason: _reason,
  wanted_operation_id: _operation,
  wanted_metrics: _metrics,
  wanted_evidence: _evidence,
  ...endpoint
}: EndpointRow): Endpoint {
  return endpoint;
}

export function publicRollout({ claimed_until: _claim, ...rollout }: RolloutRow): Rollout {
  return rollout;
}

export class InMemoryRollbackFacts implements RollbackFactsReader {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async read(deploymentId: string): Promise<StoredRollbackFacts | null> {
    const { deployments, versions, endpoints, rollouts } = this.#tables;
    const row = deployments.get(deploymentId);
    if (row === null) return null;
    const { stopping_until: _claim, ...current } = row;
    const endpoint = endpoints.get(current.endpoint_name);
    const previous = previousProduction(this.#tables, current);
    const open = rollouts.first((one) => isRolloutOpen(one) && one.endpoint_name === current.endpoint_name);
    const completed = rollouts.first(
      (one) => one.status === "completed" && one.deployment_id === current.deployment_id,
    );
    return {
      current,
      current_version: versions.get(current.model_version_id),
      endpoint: endpoint && publicEndpoint(endpoint),
      previous,
      previous_version: previous && versions.get(previous.model_version_id),
      open_rollout: open && publicRollout(open),
      completed_rollout: completed && publicRollout(completed),
    };
  }
}

export class InMemoryHistory implements History {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async list(experimentId: string): Promise<HistoryEvent[]> {
    const { stageEvents, trafficEvents, rolloutEvents } = this.#tables;
    const isOurs = (row: HistoryEvent) => row.experiment_id === experimentId;
    const stages = stageEvents
      .where(isOurs)
      .map(({ stage_revision: _revision, ...event }): HistoryEvent => event);
    const traffic = trafficEvents
      .where(isOurs)
      .map(({ deployment_weights: _weights, ...event }): HistoryEvent => {
        const { endpoint_name, generation } = event;
        const before = trafficEvents.where(
          (row) => row.endpoint_name === endpoint_name && row.generation < generation,
        );
        return { ...event, from_weights: before.at(-1)?.weights ?? null };
      });
    const rollouts = rolloutEvents.where(isOurs).map(({ history_id: _id, ...event }): HistoryEvent => event);
    return inOrder([...stages, ...traffic, ...rollouts], (event) => event.occurred_at);
  }

  async lastRollout(endpointName: string): Promise<Rollout | null> {
    const row = this.#tables.rollouts.where((one) => one.endpoint_name === endpointName).at(-1);
    return row === undefined ? null : publicRollout(row);
  }

  async promotionEvidence(modelVersionId: string): Promise<ShadowEvidence | null> {
    const promotions = this.#tables.stageEvents.where(
      (row) =>
        row.model_version_id === modelVersionId && row.kind === "promotion" && row.to_stage === "production",
    );
    const shown = promotions.map(({ evidence }) => shadowEvidenceSchema.safeParse(evidence["shadow"]));
    return shown.findLast((one) => one.success)?.data ?? null;
  }

  async inProductionAt(
    endpointName: string,
    instant: string,
  ): Promise<{ model_version_id: string; weight: number }[]> {
    const at = microsOf(instant);
    const acknowledged = this.#tables.trafficEvents.where(
      (row) => row.endpoint_name === endpointName && microsOf(row.occurred_at) <= at,
    );
    return Object.entries(acknowledged.at(-1)?.weights ?? {})
      .filter(([, weight]) => weight > 0)
      .map(([model_version_id, weight]) => ({ model_version_id, weight }))
      .sort((a, b) => b.weight - a.weight || (a.model_version_id < b.model_version_id ? -1 : 1));
  }
}

export class InMemoryDatabaseClock implements DatabaseClock {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async now(): Promise<string> {
    return this.#tables.clock.now();
  }
}
