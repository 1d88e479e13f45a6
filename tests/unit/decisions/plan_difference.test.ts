import { expect, test } from "vitest";
import { planned, propose } from "../../../src/agents/model_deployer/planning/decisions.ts";
import type { Plan } from "../../../src/agents/model_deployer/domain/plan.ts";
import { planDifferences } from "../../../src/agents/model_deployer/planning/plan_difference.ts";
import { namesOf } from "../../../src/agents/model_deployer/planning/wording/plan_names.ts";
import { emptyAnswer } from "../../../src/agents/model_deployer/domain/answer.ts";
import { setStatus, switchRoute } from "../../../src/agents/model_deployer/planning/route_switch.ts";
import { planOf } from "../../support/decisions/decided.ts";
import { planOfMove } from "../../support/given/given_advance.ts";
import { aDeployment, anEndpoint, ENDPOINT } from "../../support/given/given_facts.ts";

const aPlan = (parts: Partial<Plan>): Plan =>
  planOf(propose({ summary: "A plan.", lease_name: ENDPOINT, draft: emptyAnswer, generation: 7, ...parts }));

const toAll = (weights: Record<string, number>, before = anEndpoint()) =>
  switchRoute({ endpoint_name: ENDPOINT, before, weights, mirror_deployment_id: null, reason: "because" });

test("a step of a rollout is its traffic and its step, from what it is to what it becomes", () => {
  expect(planDifferences(planOfMove())).toEqual([
    { subject: "traffic", name: ENDPOINT, before: "90 % d1, 10 % d2", after: "50 % d1, 50 % d2" },
    { subject: "rollout", name: "rollout_2", before: "running, step 1", after: "running, step 2" },
  ]);
});

test("a rollback reads in one order: stage, alias, traffic, deployment, rollout", () => {
  const differences = planDifferences(planOfMove({ candidate: [60, 60] }));
  expect(differences.map((one) => `${one.subject} ${one.name}: ${one.before} > ${one.after}`)).toEqual([
    "stage mv_2: production > archived",
    "stage mv_1: archived > production",
    "alias mv_2: production > null",
    "alias mv_1: null > production",
    `traffic ${ENDPOINT}: 90 % d1, 10 % d2 > 100 % d1`,
    "deployment d2: active or deploying > rolled_back, warm for 300 s",
    "rollout rollout_2: running, step 1 > rolled_back, step 1",
  ]);
});

test("what a rollback moves is called by its versions, and two of the same version keep their ids", () => {
  expect(planOfMove({ candidate: [60, 60] }).names).toEqual({
    d1: "e2i_remission v1",
    d2: "e2i_remission v2",
    mv_1: "e2i_remission v1",
    mv_2: "e2i_remission v2",
    rollout_2: "e2i_remission v2",
  });
  const deployments = [aDeployment(1), aDeployment(2, { bento_tag: "e2i_remission:v1" })];
  expect(namesOf({ deployments })).toEqual({
    d1: "e2i_remission v1 (d1)",
    d2: "e2i_remission v1 (d2)",
  });
  const shadowed = [
    aDeployment(1),
    aDeployment(2, { bento_tag: "e2i_remission:v1", target_stage: "shadow" }),
  ];
  expect(namesOf({ deployments: shadowed })).toEqual({
    d1: "e2i_remission v1",
    d2: "e2i_remission v1 (shadow)",
  });
});

test("what changes twice is told once, from the first before to the last after", () => {
  const plan = aPlan({
    intent: [setStatus("d1", ["active"], "deploying")],
    on_success: [setStatus("d1", ["deploying"], "draining", { keepWarmSeconds: 60 })],
  });
  expect(planDifferences(plan)).toEqual([
    { subject: "deployment", name: "d1", before: "active", after: "draining, warm for 60 s" },
  ]);
});

test("what ends as it was is no difference, and neither is an acknowledgement or an announcement", () => {
  const again = aPlan({
    intent: [setStatus("d1", ["active"], "deploying")],
    steps: [...toAll({ d1: 100 }), planned({ step: "apply_route", endpoint_name: ENDPOINT, generation: 8 })],
    on_success: [setStatus("d1", ["deploying"], "active")],
  });
  expect(planDifferences(again)).toEqual([]);
});

test("a share of nothing is not told, and an endpoint that had no traffic had nothing", () => {
  const before = anEndpoint({ weights: {}, mirror_deployment_id: "d5" });
  expect(planDifferences(aPlan({ steps: toAll({ d1: 0, d2: 100 }, before) }))).toEqual([
    { subject: "traffic", name: ENDPOINT, before: null, after: "100 % d2" },
    { subject: "mirror", name: ENDPOINT, before: "d5", after: null },
  ]);
});
