import { randomUUID } from "node:crypto";
import type { Change, ChangeOf } from "../../src/agents/model_deployer/domain/changes.ts";
import { planWith } from "../../src/agents/model_deployer/planning/decisions.ts";
import type { Deployment, ModelVersion, Stage } from "../../src/agents/model_deployer/domain/entities.ts";
import { bentoTag } from "../../src/agents/model_deployer/domain/values/names.ts";
import { NotFoundError } from "../../src/agents/model_deployer/errors.ts";
import type { Parts } from "../../src/agents/model_deployer/ports/parts.ts";
import type { DeployerDatabase } from "../../src/database/index.ts";

export const ENDPOINT = "e2i_rollback_bench";
export const EXPERIMENT = "rollback_bench";

const settings = { replicas: 1, cpu_limit: "2", memory_limit: "4Gi" } as const;

/** Brings versions forward past the stage gates, through the database's and the router's own ports. */
export class Forwarder {
  readonly #database: DeployerDatabase;
  readonly #parts: Pick<Parts, "router" | "server">;

  constructor(database: DeployerDatabase, parts: Pick<Parts, "router" | "server">) {
    this.#database = database;
    this.#parts = parts;
  }

  async moveStage(versionId: string, to: Stage): Promise<void> {
    await this.#apply(async () => [await this.#stageMove(versionId, to)], []);
  }

  /** A new deployment of the version gets all traffic; whatever served before stays warm for an hour, unless told. */
  async bringForward(versionId: string, keepWarmSeconds = 3600): Promise<string> {
    const database = this.#database;
    const parts = this.#parts;
    const signal = AbortSignal.timeout(30_000);
    const version = await this.#version(versionId);
    const deployment_id = `deploy_${randomUUID()}`;
    const endpoint = await database.endpoints.get(ENDPOINT);
    const opened = await parts.router.open(ENDPOINT, { signal });
    const generation = endpoint?.generation ?? 0;
    const serving = Object.keys(endpoint?.weights ?? {});
    const before = await database.modelVersions.getProduction(EXPERIMENT);
    const weights = { [deployment_id]: 100 };
    const address = await parts.server.start(
      { deployment_id, bento_tag: bentoTag(version), resources: resources() },
      { signal },
    );
    const route = {
      endpoint_name: ENDPOINT,
      generation: generation + 1,
      weights,
      mirror_deployment_id: null,
    };
    await this.#apply(
      async (operationId) => [
        ...(await this.#stagesFor(version, before)),
        { change: "open_endpoint", endpoint_name: ENDPOINT, experiment_id: EXPERIMENT, ...opened },
        { change: "insert_deployment", deployment: deploymentOf(operationId, deployment_id, version) },
        wantRoute(generation, weights),
        ...serving.map((id) => draining(id, keepWarmSeconds)),
      ],
      [{ change: "observe_route", endpoint_name: ENDPOINT, generation: generation + 1 }],
      async () => {
        await parts.router.apply(route, [{ deployment_id, ...address }], { signal });
      },
    );
    return deployment_id;
  }

  async #stagesFor(version: ModelVersion, before: ModelVersion | null): Promise<Change[]> {
    if (version.stage === "production") return [];
    const leaves = before === null ? [] : [await this.#stageMove(before.model_version_id, "archived")];
    return [...leaves, await this.#stageMove(version.model_version_id, "production")];
  }

  async endpointUrl(): Promise<string> {
    const endpoint = await this.#database.endpoints.get(ENDPOINT);
    if (endpoint !== null) return endpoint.endpoint_url;
    throw new NotFoundError(`Endpoint ${ENDPOINT} is not open; bring a version forward first.`);
  }

  async #apply(
    intent: (operationId: string) => Promise<Change[]>,
    last: Change[],
    between?: () => Promise<void>,
  ): Promise<void> {
    const { journal } = this.#database;
    const { operation_id } = await journal.claim({
      request_id: randomUUID(),
      payload_hash: "0".repeat(64),
      action: "bench",
      requested_by: "bench",
      request: {},
    });
    const plan = planWith({
      summary: "Set the stage of a benchmark.",
      lease_name: ENDPOINT,
      intent: await intent(operation_id),
    });
    await journal.begin(operation_id, plan, null);
    await between?.();
    await journal.finish(operation_id, { status: "succeeded", result: {} }, last, null);
  }

  async #stageMove(versionId: string, to: Stage): Promise<ChangeOf<"set_stage">> {
    const version = await this.#version(versionId);
    return {
      change: "set_stage",
      model_version_id: versionId,
      from: version.stage,
      to,
      expected_revision: version.stage_revision,
      kind: "promotion",
      reason: "bench",
      changed_by: "bench",
      metrics: version.metrics,
      evidence: {},
    };
  }

  async #version(versionId: string): Promise<ModelVersion> {
    const version = await this.#database.modelVersions.get(versionId);
    if (version !== null) return version;
    throw new NotFoundError(`Model version ${versionId} does not exist; register it first.`);
  }
}

function wantRoute(expected_generation: number, weights: Record<string, number>): ChangeOf<"want_route"> {
  return {
    change: "want_route",
    endpoint_name: ENDPOINT,
    expected_generation,
    weights,
    mirror_deployment_id: null,
    reason: "brought forward",
  };
}

function draining(deploymentId: string, keep_warm_seconds: number): ChangeOf<"set_deployment_status"> {
  return {
    change: "set_deployment_status",
    deployment_id: deploymentId,
    from: ["active"],
    to: "draining",
    rollback_reason: null,
    keep_warm_seconds,
  };
}

function resources() {
  return { ...settings, autoscaling: { min: 1, max: 5, target_cpu: 70 } };
}

function deploymentOf(operation_id: string, deployment_id: string, version: ModelVersion): Deployment {
  return {
    deployment_id,
    model_version_id: version.model_version_id,
    experiment_id: version.experiment_id,
    operation_id,
    target_stage: "production",
    endpoint_name: ENDPOINT,
    engine: "local",
    endpoint_url: null,
    status: "active",
    ...resources(),
    model_artifact_uri: version.model_artifact_uri,
    preprocessing_artifact_uri: null,
    bento_tag: bentoTag(version),
    traffic_percentage: 0,
    previous_deployment_id: null,
    deployed_by: "model_deployer",
    deployed_at: new Date().toISOString(),
    activated_at: new Date().toISOString(),
    deployment_duration_seconds: 0,
    drain_due_at: null,
    drained_at: null,
    rolled_back_at: null,
    rollback_reason: null,
  };
}
