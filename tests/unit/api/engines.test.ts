import { expect, test } from "vitest";
import { STANDARD_GATE_POLICY } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { policyReportSchema } from "../../../src/service/policies/policy_schemas.ts";
import { EXPERIMENT, inProduction } from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";
import { LOCAL_AND_CLUSTER } from "../../support/given/given_engines.ts";

const path = `/v1/experiments/${EXPERIMENT}/policy`;
const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;
const EVA = "eva-has-a-long-secret";
const set = (engines: unknown, more: object = {}) => ({
  method: "PUT",
  token: EVA,
  body: { ...standard, engines, ...more },
});

test("a policy's engines are set and shown, with what serves elsewhere and stays there", async () => {
  const { deployer, get } = await givenApi({ settings: { engines: LOCAL_AND_CLUSTER } });
  await deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  const { deployment } = await inProduction(deployer, "run1");
  const { gate_policy, deployments_on_other_engines } = await get(
    policyReportSchema,
    path,
    set({ production: "kubernetes" }),
  );
  expect(gate_policy.engines).toEqual({ production: "kubernetes" });
  const there = [{ deployment_id: deployment, target_stage: "production", engine: "local" }];
  expect(deployments_on_other_engines).toEqual(there);
  expect((await get(policyReportSchema, path)).deployments_on_other_engines).toEqual(there);
  expect((await get(policyReportSchema, path, set({}))).deployments_on_other_engines).toEqual([]);
});

test("an engine that is not configured is refused where the policy is set, and changes nothing", async () => {
  const { deployer, problem, get } = await givenApi();
  await deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  const refused = await problem(path, set({ staging: "kubernetes" }));
  expect(refused).toMatchObject({ status: 422, code: "engine_refused", retryable: false });
  expect(refused.detail).toContain("MODEL_DEPLOYER_ENGINE=local,kubernetes");
  for (const wrong of [{ production: "k8s" }, { shadow: "local" }, "kubernetes", { production: null }]) {
    expect(await problem(path, set(wrong))).toMatchObject({ status: 400, code: "invalid_request" });
  }
  expect((await get(policyReportSchema, path)).gate_policy.engines).toEqual({});

  // What an earlier configuration allowed stands in nobody's way who changes something else.
  const engines = { staging: "kubernetes" as const };
  await deployer.database.experiments.setGatePolicy(EXPERIMENT, { ...standard, engines }, "ana");
  const changed = set(engines, { minimum_shadow_hours: 48 });
  expect((await get(policyReportSchema, path, changed)).gate_policy).toMatchObject({
    engines,
    minimum_shadow_hours: 48,
  });
});
