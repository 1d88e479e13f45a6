import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject } from "vitest";
import { z } from "zod";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { authorization } from "../../../src/mlops/mlflow/mlflow_transport.ts";
import { connectModelDeployer } from "../../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../../src/wiring/model_deployer.ts";
import { answerSchema, type DeploymentManifest } from "../../../src/agents/model_deployer/domain/answer.ts";
import { ApprovalRequiredError } from "../../../src/agents/model_deployer/errors.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { stopHome } from "../../../src/platform/processes/homes/stop_home.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import type { ScratchDatabase } from "../../support/services/scratch_database.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { prepareServing, runOf, type TrainedModels, trainModels } from "./trained_models.ts";
import { enrolOperatingUser } from "../../support/given/enrolled_user.ts";

let home: string;
let database: ScratchDatabase;
export let deployer: ModelDeployer;
/** The environment for another program of this installation. */
export let environment: Record<string, string>;
let trained: TrainedModels;
export const approverToken = randomBytes(24).toString("hex");
export const experiment = `main_job_${randomUUID().slice(0, 8)}`;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "model-deployer-main-job-"));
  database = await createTestDatabase();
  environment = {
    DATABASE_URL: database.url,
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
    MODEL_DEPLOYER_HOME: home,
    MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
  };
  deployer = await connectModelDeployer(readConfiguration(environment), { installation: "demo" });
  trained = await trainModels();
  await prepareServing(deployer.parts.registry, runOf(trained, "v1"));
  await deployer.database.principals.enrol("omar", approverToken);
  await enrolOperatingUser(deployer.database);
  const { experiments } = deployer.database;
  const described = { experiment_name: experiment, prediction_target: "benign" };
  const criteria = { minimum_auc: 0.9, minimum_precision_at_k: null, maximum_fpr: 0.5 };
  await experiments.create({ experiment_id: experiment, ...described, ...criteria }, "tests");
  const gate = {
    minimum_shadow_hours: 1 / 3600,
    minimum_shadow_requests: 40,
    maximum_shadow_error_rate: 0.01,
  };
  const policy = {
    ...gate,
    maximum_shadow_p99_ms: 600_000,
    approvals_for_production: 1,
    reason: "a test cannot wait a day",
  };
  await experiments.setGatePolicy(experiment, { kind: "demo", ...policy }, "tests");
});

afterAll(async () => {
  await deployer.close();
  await stopHome(home);
  await rm(home, { recursive: true, force: true });
  await database.drop();
});

export const act = (deployment_action: string, given: Record<string, unknown>) =>
  deployer.agent.execute({ deployment_action, ...given });

export const usualRow = (index: number): Record<string, number> =>
  trained.rows.usual[index % trained.rows.usual.length] ?? {};

export async function predict(url: string, index = 0) {
  const features = usualRow(index);
  const body = JSON.stringify({ entity_id: "p1", features, time_horizon: "30d", return_proba: true });
  const answer = await fetch(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  return {
    status: answer.status,
    deployment: answer.headers.get("x-deployment-id"),
    body: z.json().parse(await answer.json()),
  };
}

export async function aliases(modelName: string): Promise<Record<string, string>> {
  const query = new URLSearchParams({ name: modelName });
  const { mlflowUrl, mlflowAuth } = inject("mlflow");
  const answer = await fetch(`${mlflowUrl}/api/2.0/mlflow/registered-models/get?${query.toString()}`, {
    headers: authorization(mlflowAuth),
  });
  const schema = z.object({
    registered_model: z.object({
      aliases: z.array(z.object({ alias: z.string(), version: z.string() })).default([]),
    }),
  });
  const { registered_model: model } = schema.parse(await answer.json());
  return Object.fromEntries(model.aliases.map(({ alias, version }) => [alias, version]));
}

export const runNamed = (name: string): string => runOf(trained, name);

export async function register(name: string) {
  const run = runNamed(name);
  const { version_record: record } = await act("register", { experiment_id: experiment, mlflow_run_id: run });
  if (record === null) throw new TypeError("register gave no record");
  return record;
}

export async function untilTheShadowHasShown(url: string, versionId: string): Promise<void> {
  let sent = 0;
  await pollUntil(
    async () => {
      for (let burst = 0; burst < 10; burst += 1) await predict(url, (sent += 1));
      const [shadow] = await deployer.database.deployments.listForVersion(versionId);
      await deployer.worker.tick();
      const evidence = await deployer.database.shadowEvidence.read(shadow?.deployment_id ?? "");
      const isMeasured = evidence !== null && evidence.p99_ms !== null;
      return isMeasured && evidence.requests >= 40 && evidence.hours * 3600 > 1 ? evidence : null;
    },
    { deadlineMs: 120_000, what: "the shadow has shown enough" },
  );
}

/** On a busy machine the node answers `in_progress` within its SLA, and the worker ends what it began. */
export async function deploy(request: Record<string, unknown>) {
  const answer = await act("deploy", request);
  if (answer.status === "completed") return answer;
  const operation = await pollUntil(
    async () => {
      await deployer.worker.tick();
      const found = await deployer.database.operations.get(answer.operation_id ?? "");
      return found?.status === "succeeded" ? found : null;
    },
    { deadlineMs: 300_000, what: "the worker has carried the deployment on" },
  );
  return { ...answer, ...answerSchema.parse(operation.result) };
}

export async function toShadow(versionId: string): Promise<string> {
  await act("promote", { model_version_id: versionId, target_stage: "staging" });
  await act("promote", { model_version_id: versionId, target_stage: "shadow" });
  const { deployment_manifest: manifest } = await deploy({
    model_version_id: versionId,
    target_stage: "shadow",
  });
  return manifest?.endpoint_url ?? "";
}

/** The same request again, after somebody else has approved it, carries it on. */
export async function promoteToProduction(versionId: string) {
  const request = {
    model_version_id: versionId,
    target_stage: "production",
    request_id: `to-production-${versionId}`,
  };
  const waiting: unknown = await act("promote", request).catch((error: unknown) => error);
  if (!(waiting instanceof ApprovalRequiredError))
    throw new TypeError("no approval was asked for", { cause: waiting });
  const operation_id = z.string().parse(waiting.details["operation_id"]);
  await deployer.database.approvals.grant({ token: approverToken, operation_id, reason: "looks right" });
  return act("promote", request);
}

/** Its shadow has shown enough, and somebody has approved it. */
export async function readyForProduction(name: string) {
  const record = await register(name);
  const url = await toShadow(record.model_version_id);
  await untilTheShadowHasShown(url, record.model_version_id);
  await promoteToProduction(record.model_version_id);
  return record;
}

/** The manifest of what it becomes there. */
export async function toProduction(
  versionId: string,
  options: { rollout?: Record<string, unknown> } = {},
): Promise<DeploymentManifest> {
  const request = { model_version_id: versionId, target_stage: "production", ...options };
  return (await deploy(request)).deployment_manifest ?? expect.fail("nothing was deployed");
}
