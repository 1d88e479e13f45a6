import { expect, test } from "vitest";
import type { DeployFacts } from "../../../src/agents/model_deployer/actions/deploy/facts.ts";
import type { Deployment } from "../../../src/agents/model_deployer/domain/entities.ts";
import type { DeployRequest } from "../../../src/agents/model_deployer/domain/requests.ts";
import {
  announcementsOf,
  changesOf,
  planOf,
  refusalOf,
  routeOf,
  statusesOf,
  stepsOf,
} from "../../support/decisions/decided.ts";
import { decideOn } from "../../support/decisions/decided_deployment.ts";
import {
  aDeployment,
  anEndpoint,
  aRollout,
  aVersion,
  ENDPOINT,
  figuresOf,
} from "../../support/given/given_facts.ts";

const serves = { endpoint: anEndpoint(), deployments: [aDeployment(1)] };
const shadowed = {
  endpoint: anEndpoint({ mirror_deployment_id: "d9" }),
  deployments: [aDeployment(9, { model_version_id: "mv_2", target_stage: "shadow" }), aDeployment(1)],
};

test("first in production: served and answering before it gets all traffic, with the way back beside it", () => {
  const plan = planOf(decideOn("production"));
  expect(stepsOf(plan)).toEqual([
    "open_endpoint",
    "package_model",
    "start_server",
    "want_route",
    "apply_route",
  ]);
  expect(routeOf(plan)).toMatchObject({ expected_generation: 0, weights: { deploy_new: 100 } });
  expect(plan.steps[2]?.undo).toEqual([{ step: "stop_server", deployment_id: "deploy_new" }]);
  expect(plan.steps[3]?.undo).toMatchObject([
    { step: "want_route", expected_generation: 1, weights: {} },
    { step: "apply_route", generation: 2 },
  ]);
  expect(plan).toMatchObject({ lease_name: ENDPOINT, approvals_needed: 0, generation: 0 });
  expect(statusesOf(plan.on_success)).toEqual(["deploy_new: deploying > active"]);
  expect(statusesOf(plan.on_failure)).toEqual(["deploy_new: pending|deploying > failed (0)"]);
  expect(statusesOf(plan.steps[0]?.then ?? [])).toEqual(["deploy_new: pending > deploying"]);
});

test("the row and the manifest carry what was asked for", () => {
  const plan = planOf(decideOn("production"));
  const asked = {
    replicas: 2,
    cpu_limit: "500m",
    memory_limit: "1Gi",
    autoscaling: { min: 1, max: 3, target_cpu: 60 },
    bento_tag: "e2i_remission:v2",
    deployment_id: "deploy_new",
  };
  expect(changesOf(plan.intent, "insert_deployment")[0]?.deployment).toMatchObject({
    ...asked,
    status: "pending",
  });
  expect(plan.draft.deployment_manifest).toMatchObject({ ...asked, status: "active", rollout: null });
  expect(announcementsOf(plan)).toEqual([
    "episodic_memory op_new:episode:deployment",
    "procedural_memory op_new:procedure:deploy_production",
  ]);
});

test("over another in production: the first step only, the old one active, a rollout that goes on", () => {
  const figures = [figuresOf("d1", [3, 900])];
  const plan = planOf(decideOn("production", { ...serves, figures }));
  expect(routeOf(plan)).toMatchObject({ expected_generation: 7, weights: { d1: 90, deploy_new: 10 } });
  expect(statusesOf(plan.on_success)).toEqual([]);
  expect(changesOf(plan.on_success, "start_rollout")[0]?.rollout).toMatchObject({
    rollout_id: "rollout_new",
    deployment_id: "deploy_new",
    baseline_deployment_id: "d1",
    status: "running",
    step_index: 0,
    judge_state: { last_figures: figures, step_samples: 0 },
  });
  expect(plan.draft.deployment_manifest).toMatchObject({
    status: "deploying",
    traffic: {
      generation: 8,
      weights: [
        { deployment_id: "d1", weight: 90 },
        { deployment_id: "deploy_new", weight: 10 },
      ],
    },
    rollout: { rollout_id: "rollout_new", status: "running", step_index: 0 },
  });
  expect(plan.approvals_needed).toBe(0);
  expect(changesOf(plan.intent, "insert_deployment")[0]?.deployment.previous_deployment_id).toBe("d1");
  expect(announcementsOf(plan)).toContain("registry_projection op_new:registry:mv_1");
});

test("its own shadow ends when a version goes to production, another's goes on", () => {
  const own = planOf(decideOn("production", shadowed));
  expect(routeOf(own).mirror_deployment_id).toBeNull();
  expect(statusesOf(own.on_success)).toEqual(["d9: active|deploying > draining (0)"]);
  const foreign = {
    ...shadowed,
    deployments: [aDeployment(9, { model_version_id: "mv_3" }), aDeployment(1)],
  };
  const others = planOf(decideOn("production", foreign));
  expect(routeOf(others).mirror_deployment_id).toBe("d9");
  expect(statusesOf(others.on_success)).toEqual([]);
});

test.each<[string, boolean, Partial<DeployFacts["still_warm"][number]>, Partial<Deployment>]>([
  ["is free", true, {}, {}],
  ["has another number of servers", true, {}, { replicas: 5 }],
  ["has a number of its own that a start does not change", false, { is_counted: false }, { replicas: 5 }],
  ["has as many, which a start does not change", true, { is_counted: false }, {}],
  ["is behind", false, { is_behind: true }, {}],
  ["has more memory", false, {}, { memory_limit: "3Gi" }],
  ["has more CPU", false, {}, { cpu_limit: "3" }],
])("a shadow that %s: its server is adopted %s", (_what, isAdopted, warm, resources) => {
  const asked = { replicas: 2, cpu_limit: "500m", memory_limit: "1Gi" };
  const autoscaling = { min: 1, max: 3, target_cpu: 60 };
  const own = {
    model_version_id: "mv_2",
    bento_tag: "e2i_remission:v2",
    target_stage: "shadow",
    ...asked,
    autoscaling,
  } as const;
  const plan = planOf(
    decideOn("production", {
      ...shadowed,
      deployments: [aDeployment(9, { ...own, ...resources }), aDeployment(1)],
      still_warm: [{ id: "d9", is_behind: false, is_counted: true, is_outdated: false, ...warm }],
    }),
  );
  const start = plan.steps.find(({ do: { step } }) => step === "start_server");
  const back = { step: "give_back_server", deployment_id: "deploy_new", to_deployment_id: "d9" };
  expect(start?.do).toMatchObject({ takes_over: null, ...(isAdopted && { adopts: "d9" }) });
  expect("adopts" in (start?.do ?? {})).toBe(isAdopted);
  expect(start?.undo.filter(({ step }) => step === back.step)).toEqual(isAdopted ? [back] : []);
  expect(plan.steps.map(({ undo }) => undo[0]).filter((one) => one?.step === back.step)).toHaveLength(
    isAdopted ? 2 : 0,
  );
});

test("a shadow changes no weight; it replaces the shadow before it", () => {
  const plan = planOf(decideOn("shadow", shadowed));
  expect(routeOf(plan)).toMatchObject({ weights: { d1: 100 }, mirror_deployment_id: "deploy_new" });
  expect(statusesOf(plan.on_success)).toEqual([
    "deploy_new: deploying > active",
    "d9: active|deploying > draining (0)",
  ]);
});

test("a shadow needs no production beside it", () => {
  expect(routeOf(planOf(decideOn("shadow")))).toMatchObject({
    weights: {},
    mirror_deployment_id: "deploy_new",
  });
});

test("staging has its own endpoint, and its own version before it ends at once", () => {
  const endpoint = anEndpoint({ endpoint_name: `${ENDPOINT}_staging`, weights: { d5: 100 } });
  const plan = planOf(decideOn("staging", { endpoint }));
  expect(plan.lease_name).toBe(`${ENDPOINT}_staging`);
  expect(routeOf(plan)).toMatchObject({ endpoint_name: `${ENDPOINT}_staging`, weights: { deploy_new: 100 } });
  expect(statusesOf(plan.on_success)).toEqual([
    "deploy_new: deploying > active",
    "d5: active|deploying > draining (0)",
  ]);
});

test.each<
  [string, DeployRequest["target_stage"], Partial<DeployFacts>, Partial<DeployRequest>, string, RegExp]
>([
  ["an unknown version", "staging", { version: null }, {}, "not_found", /mv_2 does not exist/],
  [
    "a version at another stage",
    "production",
    { version: aVersion(2, { stage: "staging" }) },
    {},
    "stage_mismatch",
    /at staging and cannot be served at production; promote it to production first/,
  ],
  [
    "a rollout that runs",
    "production",
    { ...serves, open_rollout: aRollout() },
    {},
    "conflict",
    /rollout_2 of d2 is running/,
  ],
])("%s is refused", (_what, stage, facts, request, code, sentence) => {
  const refusal = refusalOf(decideOn(stage, facts, request));
  expect(refusal.code).toBe(code);
  expect(refusal.sentence).toMatch(sentence);
});

test("a shadow may come while a rollout runs; its weights stay", () => {
  const endpoint = anEndpoint({ weights: { d1: 90, d2: 10 } });
  const plan = planOf(decideOn("shadow", { endpoint, open_rollout: aRollout() }));
  expect(routeOf(plan)).toMatchObject({ weights: { d1: 90, d2: 10 }, mirror_deployment_id: "deploy_new" });
});

test("a plan says that the Python of the model is not to be had, and which one serves it", () => {
  const other_python = { logged_under: "3.12.1", served_with: "3.11.7" };
  const sentence =
    "The model was logged under Python 3.12.1, which is not to be had here: it is served with 3.11.7.";
  expect(planOf(decideOn("staging", { other_python })).notes).toContain(sentence);
  expect(planOf(decideOn("staging", {})).notes.join()).not.toContain("Python");
});
