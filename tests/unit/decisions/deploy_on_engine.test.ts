import { describe, expect, test } from "vitest";
import type { InstalledEngines } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { changesOf, planOf, refusalOf } from "../../support/decisions/decided.ts";
import { decideOn } from "../../support/decisions/decided_deployment.ts";
import { aDeployment, anEndpoint, aPolicy } from "../../support/given/given_facts.ts";

const both: InstalledEngines = { usual: "local", routers: { local: "worker", kubernetes: "worker" } };
const apart: InstalledEngines = { usual: "local", routers: { local: "worker", kubernetes: "cluster" } };
const onKubernetes = aPolicy({ engines: { production: "kubernetes" } });
const serves = { endpoint: anEndpoint(), deployments: [aDeployment(1)] };
const deploymentIn = (plan: ReturnType<typeof planOf>) =>
  changesOf(plan.intent, "insert_deployment")[0]?.deployment;
const stepIn = (plan: ReturnType<typeof planOf>, name: string) =>
  plan.steps.map((one) => one.do).find(({ step }) => step === name);

test("without a policy it is made on the usual engine, which the row remembers, and nothing is said of it", () => {
  const plan = planOf(decideOn("production", { ...serves, engines: both }));
  expect(deploymentIn(plan)).toMatchObject({ engine: "local" });
  expect(plan.draft.deployment_manifest).toMatchObject({ engine: "local" });
  expect(plan.summary).not.toContain("local");
  expect(plan.notes.join()).not.toContain("served on");
});

test("a move is a new deployment: its plan says where each is, and is sized anew", () => {
  const plan = planOf(decideOn("production", { ...serves, engines: both, policy: onKubernetes }));
  expect(deploymentIn(plan)).toMatchObject({ engine: "kubernetes" });
  expect(stepIn(plan, "start_server")).toMatchObject({ engine: "kubernetes" });
  expect(stepIn(plan, "start_server")).not.toHaveProperty("sized_by");
  expect(plan.summary).toContain("on e2i_remission, served on kubernetes, beginning with 10 %");
  expect(plan.notes).toContain(
    "It is served on kubernetes, and d1 on local: each stays where it was made, and a rollback goes back there.",
  );
});

test("one on the same engine as what serves is sized by it, and an endpoint that is open is opened as it was", () => {
  const there = { endpoint: anEndpoint(), deployments: [aDeployment(1, { engine: "kubernetes" })] };
  const plan = planOf(decideOn("production", { ...there, engines: both, policy: onKubernetes }));
  expect(stepIn(plan, "start_server")).toMatchObject({ sized_by: "d1" });
  expect(stepIn(plan, "open_endpoint")).not.toHaveProperty("engine");
});

test("a new endpoint is opened for the engine of its first deployment", () => {
  const plan = planOf(
    decideOn("production", { endpoint: null, deployments: [], engines: apart, policy: onKubernetes }),
  );
  expect(stepIn(plan, "open_endpoint")).toMatchObject({ engine: "kubernetes" });
});

test("no server of another engine is taken over", () => {
  const warm = aDeployment(9, {
    ...{ model_version_id: "mv_2", bento_tag: "e2i_remission:v2", status: "rolled_back" },
    ...{ replicas: 2, cpu_limit: "500m", memory_limit: "1Gi" },
    autoscaling: { min: 1, max: 3, target_cpu: 60 },
  });
  const facts = {
    endpoint: anEndpoint(),
    deployments: [warm, aDeployment(1)],
    still_warm: [{ id: "d9", is_behind: false, is_counted: true, is_outdated: false }],
    engines: both,
  };
  expect(stepIn(planOf(decideOn("production", facts)), "start_server")).toMatchObject({ takes_over: "d9" });
  const moved = planOf(decideOn("production", { ...facts, policy: onKubernetes }));
  expect(stepIn(moved, "start_server")).toMatchObject({ takes_over: null });
});

describe("refused by name", () => {
  test.each([
    ["an engine that is not configured", { engines: { usual: "local", routers: { local: "worker" } } }],
    ["an engine that the endpoint's router does not reach", { engines: apart }],
    [
      "a router that is not configured",
      { engines: both, endpoint: anEndpoint({ engine: "bentocloud" as const }) },
    ],
    [
      "a policy of callers that the new router would not keep",
      { engines: apart, endpoint: null, deployments: [], is_guarded: true },
    ],
  ] as const)("%s", (_what, facts) => {
    const refusal = refusalOf(
      decideOn("production", { ...serves, policy: onKubernetes, ...facts, deployments: [aDeployment(1)] }),
    );
    expect(refusal).toMatchObject({ code: "engine_refused", passes: false });
    expect(refusal.sentence).toMatch(/set MODEL_DEPLOYER_/);
  });
});
