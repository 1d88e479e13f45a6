import { LOCAL_ENGINE } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { expect, test } from "vitest";
import { conclude } from "../../../src/agents/model_deployer/actions/conclude.ts";
import { decideDeploy } from "../../../src/agents/model_deployer/actions/deploy/decide.ts";
import { decideRegister } from "../../../src/agents/model_deployer/actions/register/decide.ts";
import type { DeployRequest } from "../../../src/agents/model_deployer/domain/requests.ts";
import { changesOf, planOf } from "../../support/decisions/decided.ts";
import {
  aDeployment,
  anEndpoint,
  anExperiment,
  aPolicy,
  aVersion,
  context,
  later,
  NOW,
  NO_ENTRIES,
} from "../../support/given/given_facts.ts";

const finishedAfter = (seconds: number) => ({
  now: later(seconds),
  started_at: NOW,
  operation_id: "op_1",
  requested_by: "ana",
});

function deployment(
  endpoint: ReturnType<typeof anEndpoint> | null,
  rollout: DeployRequest["rollout"] = "linear",
) {
  const request = {
    action: "deploy" as const,
    model_version_id: "mv_2",
    target_stage: "production" as const,
    replicas: 1,
    cpu_limit: "2",
    memory_limit: "4Gi",
    autoscaling: { min: 1, max: 5, target_cpu: 70 },
    rollout,
  };
  const facts = {
    version: aVersion(2),
    endpoint,
    deployments: endpoint === null ? [] : [aDeployment(1)],
    aborted: [],
    still_warm: [],
    staged: null,
    open_rollout: null,
    figures: [],
    policy: aPolicy(),
    experience: null,
    serves_now: null,
    retention_seconds: 3600,
    other_python: null,
    vulnerabilities: NO_ENTRIES,
    ended: { ways: null, last_rollout: null },
    metrics_problem: null,
    engines: LOCAL_ENGINE,
    is_guarded: false,
  };
  return planOf(decideDeploy(request, facts, context));
}

test("a manifest tells what contains the servers that were started, and nothing where none was", () => {
  const started = (isolation: unknown) => [{ step: "start_server", result: { isolation } }];
  const isolationAfter = (steps: ReturnType<typeof started>) =>
    conclude(deployment(null), steps, finishedAfter(1)).answer.deployment_manifest?.isolation;
  expect(isolationAfter(started("landlock"))).toBe("landlock");
  expect(isolationAfter(started("pod"))).toBe("pod");
  expect(isolationAfter(started("a wall"))).toBe(null);
  expect(isolationAfter([])).toBe(null);
});

test("a deployment is dated when it is done, takes as long as it took, and names the router's address", () => {
  const steps = [{ step: "open_endpoint", result: { endpoint_url: "http://127.0.0.1:20007" } }];
  const { answer, changes } = conclude(deployment(null), steps, finishedAfter(12.346));
  expect(answer.deployment_manifest).toMatchObject({
    endpoint_url: "http://127.0.0.1:20007",
    deployed_at: later(12.346),
    deployment_duration_seconds: 12.35,
  });
  expect(changesOf(changes, "date_deployment")).toMatchObject([
    { deployment_id: "deploy_new", deployed_at: later(12.346), deployment_duration_seconds: 12.35 },
  ]);
  const procedure = changesOf(changes, "enqueue").find((entry) => entry.topic === "procedural_memory");
  expect(procedure?.payload).toMatchObject({ duration_ms: 12_346 });
});

test("a rollout's first step begins to bake when the traffic has moved, in the row and in the answer", () => {
  const { changes, answer } = conclude(deployment(anEndpoint()), [], finishedAfter(20));
  expect(changesOf(changes, "start_rollout")[0]?.rollout).toMatchObject({
    step_started_at: later(20),
    next_tick_at: later(21),
  });
  expect(answer.deployment_manifest?.rollout?.next_tick_at).toBe(later(21));
});

test("what went out at once is watched for the whole retention period, however long its server took to start", () => {
  const { changes } = conclude(deployment(anEndpoint(), "immediate"), [], finishedAfter(90));
  expect(changesOf(changes, "start_rollout")[0]?.rollout).toMatchObject({
    status: "completed",
    step_started_at: later(90),
    next_tick_at: later(95),
    watched_until: later(3690),
  });
});

test("a registration gets its number and digest from its steps, in the row and in the answer", () => {
  const request = {
    action: "register" as const,
    experiment_id: "remission",
    mlflow_run_id: "run1",
    mlflow_model_name: null,
    mlflow_model_version: null,
    model_artifact_uri: null,
    preprocessing_artifact_uri: null,
    shap_evidence: null,
  };
  const run = {
    run_id: "run1",
    status: "finished" as const,
    metrics: {},
    unusable_metrics: [],
    algorithm: null,
    signature: null,
  };
  const nothing = { policy: aPolicy(), registered_before: null, given_version: null, production: null };
  const facts = { experiment: anExperiment(), run, ...nothing };
  const steps = [
    { step: "pin_artifact", result: { artifact: "model", digest: "abc" } },
    { step: "register_in_registry", result: { version: 7 } },
  ];
  const plan = planOf(decideRegister(request, facts, context));
  const { changes, answer } = conclude(plan, steps, finishedAfter(1));
  expect(changesOf(changes, "insert_model_version")[0]?.model_version).toMatchObject({
    version: 7,
    artifact_digest: "abc",
  });
  expect(answer.version_record).toMatchObject({ version: 7, promoted_at: later(1) });
});

test("a run that was registered before keeps the date of that day", () => {
  const registered_before = aVersion(3, { registered_at: later(-86_400) });
  const request = {
    action: "register" as const,
    experiment_id: "remission",
    mlflow_run_id: "run3",
    mlflow_model_name: null,
    mlflow_model_version: null,
    model_artifact_uri: null,
    preprocessing_artifact_uri: null,
    shap_evidence: null,
  };
  const nothing = { policy: aPolicy(), run: null, given_version: null, production: null };
  const facts = { experiment: anExperiment(), registered_before, ...nothing };
  const { answer } = conclude(planOf(decideRegister(request, facts, context)), [], finishedAfter(1));
  expect(answer.version_record?.promoted_at).toBe(later(-86_400));
});
