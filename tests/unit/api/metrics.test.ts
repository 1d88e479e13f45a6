import { expect, test } from "vitest";
import { STANDARD_GATE_POLICY } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { policyReportSchema } from "../../../src/service/policies/policy_schemas.ts";
import { EXPERIMENT, inProduction } from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";

const path = `/v1/experiments/${EXPERIMENT}/policy`;
const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;
const EVA = "eva-has-a-long-secret";
const complaints = 'sum(complaints_total{deployment="{{deployment}}",version="{{version}}"})';
const usual = {
  of: null,
  bound: null,
  worse: "higher",
  worse_by: 0.1,
  every_seconds: 60,
  minimum_windows: 3,
};
const set = (query: string, more: object = {}) => ({
  method: "PUT",
  token: EVA,
  body: { ...standard, ...more, judge: { metrics: { complaints: { ...usual, query } } } },
});

async function given() {
  const api = await givenApi();
  await api.deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  return api;
}

test("the server of metrics is asked for a policy's queries with what serves production, before the policy is set", async () => {
  const { deployer, get } = await given();
  const { deployment, version } = await inProduction(deployer, "run1");
  const asked: string[] = [];
  deployer.teamMetrics.answer((query) => {
    asked.push(query);
    return [1];
  });
  const { gate_policy } = await get(policyReportSchema, path, set(complaints));
  expect(gate_policy.judge?.metrics).toMatchObject({ complaints: { query: complaints } });
  expect(asked).toEqual([`sum(complaints_total{deployment="${deployment}",version="${version}"})`]);
});

test("a query that is none, or that gives several series, is refused by its name and changes nothing", async () => {
  const { deployer, get, problem } = await given();
  deployer.teamMetrics.answer(() => [1, 2]);
  for (const [query, why] of [
    [`sum(${complaints}`, "is no query"],
    [complaints, "gives 2 series"],
  ] as const) {
    const refused = await problem(path, set(query));
    expect(refused).toMatchObject({ status: 400, code: "invalid_request", retryable: false });
    expect(refused.detail).toContain("The metric complaints");
    expect(refused.detail).toContain(why);
  }
  expect((await get(policyReportSchema, path)).gate_policy.judge?.metrics ?? {}).toEqual({});
});

test("a policy whose metrics stay is set while their server is away, and one with others is not", async () => {
  const { deployer, get, problem } = await given();
  deployer.teamMetrics.answer(() => [1]);
  await get(policyReportSchema, path, set(complaints));
  deployer.wire.fail("teamMetrics.check");
  const longer = set(complaints, { minimum_shadow_hours: 48 });
  expect((await get(policyReportSchema, path, longer)).gate_policy.minimum_shadow_hours).toBe(48);
  expect(await problem(path, set(`2 * ${complaints}`))).toMatchObject({
    code: "service_unavailable",
    retryable: true,
  });
});
