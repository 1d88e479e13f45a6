import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, onTestFinished } from "vitest";
import type { Change, ChangeOf } from "../../../src/agents/model_deployer/domain/changes.ts";
import type { Deployment, ModelVersion, Stage } from "../../../src/agents/model_deployer/domain/entities.ts";
import { emptyAnswer } from "../../../src/agents/model_deployer/domain/answer.ts";
import type { Plan } from "../../../src/agents/model_deployer/domain/plan.ts";
import type { Rollout } from "../../../src/agents/model_deployer/domain/rollout.ts";
import type { Operation } from "../../../src/agents/model_deployer/ports.ts";
import type { InstallationKind } from "../../../src/database/migrate.ts";
import { createDatabase, type DeployerDatabase } from "../../../src/database/index.ts";

const ADMIN_URL = process.env["TEST_DATABASE_URL"] ?? "postgresql://root@127.0.0.1:5432/test";

export async function createTestDatabase(): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `md_db_${randomUUID().replaceAll("-", "")}`;
  const url = new URL(ADMIN_URL);
  await runAt(ADMIN_URL, `create database ${name}`);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => runAt(ADMIN_URL, `drop database if exists ${name} with (force)`) };
}

async function runAt(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

export interface World {
  url: string;
  db: DeployerDatabase;
  /** Another process on the same database. */
  another(holder: string): DeployerDatabase;
  /** Raw SQL past all of the product's code. */
  sql(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
}

let shared: ReturnType<typeof createTestDatabase> | undefined;
afterAll(async () => {
  if (shared !== undefined) await (await shared).drop();
});

/** A schema of its own in the file's database: to make one is much cheaper than to make a database. */
async function createSchema(): Promise<string> {
  shared ??= createTestDatabase();
  const schema = `world_${randomUUID().replaceAll("-", "")}`;
  const url = new URL((await shared).url);
  await runAt(url.href, `create schema ${schema}`);
  url.searchParams.set("options", `-c search_path=${schema}`);
  return url.href;
}

/** A migrated database with one experiment, `exp`; what is open on it is closed when the test has finished. */
export async function createWorld(installation: InstallationKind = "standard"): Promise<World> {
  const url = await createSchema();
  const opened: DeployerDatabase[] = [];
  const raw = new pg.Pool({ connectionString: url, max: 2 });
  onTestFinished(async () => {
    await Promise.all([raw.end(), ...opened.map((database) => database.close())]);
  });
  const another = (holder: string) => {
    const database = createDatabase({ url, holder });
    opened.push(database);
    return database;
  };
  const db = another("process-a");
  await db.migrate({ installation });
  await db.experiments.create(experiment, "tester");
  return {
    url,
    db,
    another,
    sql: async (text, values) => (await raw.query<Record<string, unknown>>(text, values)).rows,
  };
}

export const experiment = {
  experiment_id: "exp",
  experiment_name: "Remission within a year",
  prediction_target: "remission",
  minimum_auc: 0.805,
  minimum_precision_at_k: null,
  maximum_fpr: null,
};

export const NOW = "2026-01-02T03:04:05.678901Z";

export function versionOf(number: number): ModelVersion {
  return {
    model_version_id: `mv_${number}`,
    experiment_id: "exp",
    model_name: "remission",
    version: number,
    mlflow_run_id: `run_${number}`,
    model_artifact_uri: `mlflow-artifacts:/1/run_${number}/model`,
    preprocessing_artifact_uri: null,
    artifact_digest: "a".repeat(64),
    metrics: { test_auc: 0.9 },
    shap_evidence: { shap_analysis_id: null, top_features: ["age"], samples_analyzed: 10 },
    stage: "development",
    stage_revision: 0,
    registered_at: NOW,
    promoted_at: null,
  };
}

export function deploymentOf(
  operationId: string,
  id: string,
  version: number,
  overrides: Partial<Deployment> = {},
): Deployment {
  return {
    deployment_id: id,
    model_version_id: `mv_${version}`,
    experiment_id: "exp",
    operation_id: operationId,
    target_stage: "production",
    endpoint_name: "e2i_exp",
    endpoint_url: null,
    status: "pending",
    replicas: 1,
    cpu_limit: "2",
    memory_limit: "4Gi",
    autoscaling: { min: 1, max: 5, target_cpu: 70 },
    model_artifact_uri: "mlflow-artifacts:/1/run/model",
    preprocessing_artifact_uri: null,
    bento_tag: `e2i_remission:v${version}`,
    traffic_percentage: 0,
    previous_deployment_id: null,
    deployed_by: "model_deployer",
    deployed_at: NOW,
    activated_at: null,
    deployment_duration_seconds: null,
    drain_due_at: null,
    drained_at: null,
    rolled_back_at: null,
    rollback_reason: null,
    ...overrides,
  };
}

export function rolloutOf(id: string, overrides: Partial<Rollout> = {}): Rollout {
  const tally = { requests: 0, errors: 0 };
  return {
    rollout_id: id,
    endpoint_name: "e2i_exp",
    experiment_id: "exp",
    deployment_id: "d2",
    baseline_deployment_id: "d1",
    status: "running",
    steps: [{ weight: 10, bake_seconds: 60 }],
    step_index: 0,
    step_started_at: NOW,
    next_tick_at: NOW,
    inconclusive_looks: 0,
    judge: {
      alpha: 0.05,
      minimum_samples: 10,
      effect_floor: 0.01,
      failures_in_a_row: 5,
      maximum_inconclusive_looks: 3,
    },
    judge_state: { log_e: 0, candidate: tally, baseline: tally, last_figures: [], failures_in_a_row: 0 },
    verdict: null,
    ...overrides,
  };
}

export function planOf(intent: Change[] = [], overrides: Partial<Plan> = {}): Plan {
  return {
    summary: "A plan of a test.",
    lease_name: "e2i_exp",
    preempts: false,
    intent,
    steps: [],
    on_success: [],
    on_failure: [],
    draft: emptyAnswer,
    approvals_needed: 0,
    generation: 0,
    notes: [],
    ...overrides,
  };
}

export async function claim(
  db: DeployerDatabase,
  overrides: Partial<Parameters<DeployerDatabase["journal"]["claim"]>[0]> = {},
): Promise<Operation> {
  return db.journal.claim({
    request_id: randomUUID(),
    payload_hash: "hash",
    action: "deploy",
    requested_by: "requester",
    request: {},
    ...overrides,
  });
}

/** Applies the changes in an operation of their own. */
export async function apply(db: DeployerDatabase, ...changes: Change[]): Promise<Operation> {
  const operation = await claim(db);
  await db.journal.begin(operation.operation_id, planOf(changes), null);
  return operation;
}

export function move(version: number, from: Stage, to: Stage, revision: number): ChangeOf<"set_stage"> {
  return {
    change: "set_stage",
    model_version_id: `mv_${version}`,
    from,
    to,
    expected_revision: revision,
    kind: to === "archived" ? "supersession" : "promotion",
    reason: "because",
    changed_by: "mover",
    metrics: { test_auc: 0.9 },
    evidence: { policy_id: "standard" },
  };
}

export async function registerVersions(db: DeployerDatabase, ...numbers: number[]): Promise<void> {
  await apply(
    db,
    ...numbers.map((number) => ({
      change: "insert_model_version" as const,
      model_version: versionOf(number),
      algorithm: "sklearn",
    })),
  );
}

export async function promoteToProduction(db: DeployerDatabase, version: number): Promise<void> {
  await apply(db, move(version, "development", "staging", 0));
  await apply(db, move(version, "staging", "shadow", 1));
  await apply(db, move(version, "shadow", "production", 2));
}

/** An open endpoint `e2i_exp` with deployments d1, d2, ... of versions 1, 2, ..., none of which has traffic. */
export async function openEndpointWith(db: DeployerDatabase, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => index + 1);
  await registerVersions(db, ...numbers);
  const operation = await claim(db);
  const intent: Change[] = [
    {
      change: "open_endpoint",
      endpoint_name: "e2i_exp",
      experiment_id: "exp",
      endpoint_url: "http://127.0.0.1:9",
    },
    ...numbers.map((number) => ({
      change: "insert_deployment" as const,
      deployment: deploymentOf(operation.operation_id, `d${number}`, number),
    })),
  ];
  await db.journal.begin(operation.operation_id, planOf(intent), null);
}

export function want(
  generation: number,
  weights: Record<string, number>,
  mirror: string | null = null,
): ChangeOf<"want_route"> {
  return {
    change: "want_route",
    endpoint_name: "e2i_exp",
    expected_generation: generation,
    weights,
    mirror_deployment_id: mirror,
    reason: `weights of generation ${generation + 1}`,
  };
}

export function observe(generation: number): ChangeOf<"observe_route"> {
  return { change: "observe_route", endpoint_name: "e2i_exp", generation };
}

export function setStatus(
  id: string,
  from: Deployment["status"],
  to: Deployment["status"],
  keepWarmSeconds: number | null = null,
): ChangeOf<"set_deployment_status"> {
  return {
    change: "set_deployment_status",
    deployment_id: id,
    from: [from],
    to,
    rollback_reason: null,
    keep_warm_seconds: keepWarmSeconds,
  };
}
