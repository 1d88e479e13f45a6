import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { z } from "zod";
import {
  createModelDeployer,
  type ModelDeployer,
} from "../../src/agents/model_deployer/create_model_deployer.ts";
import {
  ApprovalRequiredError,
  ProductionCriteriaNotMetError,
} from "../../src/agents/model_deployer/errors.ts";
import { readConfiguration } from "../../src/configuration.ts";
import { childEnvironment } from "../../src/platform/managed_process.ts";
import { ensureToolsEnvironment } from "../../src/platform/python_environment.ts";
import { stopHome } from "../../src/platform/stop_home.ts";
import { createTestDatabase, type TestDatabase } from "../support/databases.ts";
import { pollUntil } from "../support/poll.ts";

/** The main job on real MLflow, BentoML, Envoy, Postgres and Redis: what `npm run demo` shows, held to assertions. */

const trainedSchema = z.object({
  runs: z.array(z.object({ name: z.string(), run_id: z.string() })),
  rows: z.object({ usual: z.array(z.record(z.string(), z.number())) }),
});
const SESSION = "sess_0123456789abcdef";
const SHORT_ROLLOUT = {
  steps: [
    { weight: 30, bake_seconds: 600 },
    { weight: 100, bake_seconds: 0 },
  ],
};

let home: string;
let database: TestDatabase;
let deployer: ModelDeployer;
let trained: z.infer<typeof trainedSchema>;
const approverToken = randomBytes(24).toString("hex");
const experiment = `main_job_${randomUUID().slice(0, 8)}`;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "model-deployer-main-job-"));
  database = await createTestDatabase();
  const urls = {
    DATABASE_URL: database.url,
    REDIS_URL: inject("redisUrl"),
    MLFLOW_TRACKING_URI: inject("mlflowUrl"),
  };
  const places = { MODEL_DEPLOYER_HOME: home, MODEL_DEPLOYER_CACHE: inject("cacheDirectory") };
  deployer = await createModelDeployer(readConfiguration({ ...urls, ...places }), { installation: "demo" });
  const { python } = await ensureToolsEnvironment({ cacheDirectory: inject("cacheDirectory") });
  const { stdout } = await execa(python, ["demo/train.py", inject("mlflowUrl")], {
    env: childEnvironment(),
    extendEnv: false,
  });
  trained = trainedSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  await deployer.database.principals.enrol("omar", approverToken);
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
    maximum_shadow_p99_ms: 10_000,
    approvals_for_production: 1,
    reason: "a test cannot wait a day",
  };
  await experiments.setGatePolicy(experiment, { kind: "demo", ...policy }, "tests");
}, 600_000);

afterAll(async () => {
  await deployer.close();
  await stopHome(home);
  await rm(home, { recursive: true, force: true });
  await database.drop();
});

const act = (deployment_action: string, given: Record<string, unknown>) =>
  deployer.agent.execute({ deployment_action, ...given });

async function predict(url: string, index = 0) {
  const features = trained.rows.usual[index % trained.rows.usual.length];
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

async function aliases(modelName: string): Promise<Record<string, string>> {
  const query = new URLSearchParams({ name: modelName });
  const answer = await fetch(`${inject("mlflowUrl")}/api/2.0/mlflow/registered-models/get?${query}`);
  const schema = z.object({
    registered_model: z.object({
      aliases: z.array(z.object({ alias: z.string(), version: z.string() })).default([]),
    }),
  });
  const { registered_model: model } = schema.parse(await answer.json());
  return Object.fromEntries(model.aliases.map(({ alias, version }) => [alias, version]));
}

async function register(name: string) {
  const run = trained.runs.find((one) => one.name === name)?.run_id ?? "";
  const { version_record: record } = await act("register", { experiment_id: experiment, mlflow_run_id: run });
  if (record === null) throw new TypeError("register gave no record");
  return record;
}

async function untilTheShadowHasShown(url: string, versionId: string): Promise<void> {
  let sent = 0;
  await pollUntil(
    async () => {
      for (let burst = 0; burst < 10; burst += 1) await predict(url, (sent += 1));
      const [shadow] = await deployer.database.deployments.listForVersion(versionId);
      await deployer.worker.tick();
      const evidence = await deployer.database.shadowEvidence.read(shadow?.deployment_id ?? "");
      return evidence !== null && evidence.requests >= 40 && evidence.hours * 3600 > 1 ? evidence : null;
    },
    { deadlineMs: 60_000, what: "the shadow has shown enough" },
  );
}

async function toShadow(versionId: string): Promise<string> {
  await act("promote", { model_version_id: versionId, target_stage: "staging" });
  await act("promote", { model_version_id: versionId, target_stage: "shadow" });
  const { deployment_manifest: manifest } = await act("deploy", {
    model_version_id: versionId,
    target_stage: "shadow",
  });
  return manifest?.endpoint_url ?? "";
}

/** The same request again, after somebody else has approved it, carries it on. */
async function promoteToProduction(versionId: string) {
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

test("a version goes from its run to production and back, and every part agrees", async () => {
  const first = await register("v1");
  expect(first).toMatchObject({ version: 1, current_stage: "development" });
  const url = await toShadow(first.model_version_id);
  expect(await aliases(first.model_name)).toEqual({ shadow: "1" });

  const unanswered = await predict(url);
  expect(unanswered).toMatchObject({
    status: 503,
    deployment: null,
    body: { error: "no_production_version" },
  });
  const early = act("promote", { model_version_id: first.model_version_id, target_stage: "production" });
  await expect(early).rejects.toThrow(ProductionCriteriaNotMetError);
  await untilTheShadowHasShown(url, first.model_version_id);
  const promoted = await promoteToProduction(first.model_version_id);
  expect(promoted.version_record).toMatchObject({ previous_stage: "shadow", current_stage: "production" });

  const session = { session_id: SESSION, query_id: "qry_0123456789abcdef" };
  const served = await act("deploy", {
    model_version_id: first.model_version_id,
    target_stage: "production",
    ...session,
  });
  const firstDeployment = served.deployment_manifest?.deployment_id ?? "";
  expect(served.deployment_manifest).toMatchObject({
    status: "active",
    endpoint_url: url,
    bento_tag: `${first.model_name}:v1`,
  });
  expect(served.degraded).toEqual([]);
  expect(await predict(url)).toMatchObject({
    status: 200,
    deployment: firstDeployment,
    body: {
      prediction: expect.anything(),
      probabilities: expect.any(Array),
      model_version: "1",
      features_used: expect.any(Array),
    },
  });
  const redis = new Redis(inject("redisUrl"));
  const remembered = JSON.parse((await redis.get(`model_deployer:manifest:${SESSION}`)) ?? "{}");
  redis.disconnect();
  expect(remembered).toMatchObject({ deployment_id: firstDeployment });

  const second = await register("v2");
  expect(await toShadow(second.model_version_id)).toBe(url);
  await untilTheShadowHasShown(url, second.model_version_id);
  await promoteToProduction(second.model_version_id);
  expect(await aliases(second.model_name)).toMatchObject({ production: "2" });
  const rolling = await act("deploy", {
    model_version_id: second.model_version_id,
    target_stage: "production",
    rollout: SHORT_ROLLOUT,
  });
  const manifest = rolling.deployment_manifest;
  expect(manifest).toMatchObject({ status: "deploying", rollout: { status: "running", step_index: 0 } });
  expect(manifest?.traffic.weights.toSorted((a, b) => a.weight - b.weight)).toEqual([
    { deployment_id: manifest?.deployment_id, weight: 30 },
    { deployment_id: firstDeployment, weight: 70 },
  ]);

  const back = await act("rollback", {
    current_deployment_id: manifest?.deployment_id,
    rollback_reason: "a person says so",
  });
  expect(back).toMatchObject({ rollback_successful: true, active_deployment_id: firstDeployment });
  const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => predict(url, index)));
  expect(new Set(answers.map((answer) => `${answer.status} ${answer.deployment}`))).toEqual(
    new Set([`200 ${firstDeployment}`]),
  );
  expect(await deployer.database.modelVersions.getProduction(experiment)).toMatchObject({ version: 1 });
  expect(await aliases(first.model_name)).toMatchObject({ production: "1" });

  const signal = AbortSignal.timeout(10_000);
  const episodes = await deployer.parts.episodicMemory.recent(
    { experiment_id: experiment, limit: 50 },
    { signal },
  );
  const kinds = new Set(episodes.map((episode) => episode.event_subtype));
  expect(kinds).toEqual(new Set(["registration", "promotion", "deployment", "rollback", "refusal"]));
  const learnt = await deployer.parts.proceduralMemory.experience(`rollback:${second.model_name}`, {
    signal,
  });
  expect(learnt).toMatchObject({ usage_count: 1, success_count: 1 });
  const history = await deployer.database.history.list(experiment);
  expect(history.filter((event) => event.kind === "rollback").map((event) => event.to_stage)).toEqual([
    "archived",
    "production",
  ]);
}, 600_000);
