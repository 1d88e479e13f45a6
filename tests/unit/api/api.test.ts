import { expect, test } from "vitest";
import { z } from "zod";
import {
  endpointViewSchema,
  looksReportSchema,
  weightsReportSchema,
} from "../../../src/service/endpoints/endpoint_schemas.ts";
import {
  operationReportSchema,
  operationsReportSchema,
} from "../../../src/service/operations/operation_schemas.ts";
import {
  applyReportSchema,
  planReportSchema,
  statusReportSchema,
} from "../../../src/service/report_schemas.ts";
import {
  APPROVER_TOKEN,
  ENDPOINT,
  inProduction,
  register,
  registerState,
} from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";

test("an empty installation answers with empty lists", async () => {
  const { get } = await givenApi();
  expect(await get(z.unknown(), "/v1/endpoints")).toEqual({ endpoints: [] });
  expect(await get(statusReportSchema, "/v1/status")).toMatchObject({ endpoints: [], operations: [] });
});

test("an endpoint shows its traffic, health, weights and looks", async () => {
  const { deployer, get } = await givenApi();
  const first = await inProduction(deployer, "run1");
  await deployer.worker.tick();
  const view = await get(endpointViewSchema, `/v1/endpoints/${ENDPOINT}`);
  expect(view).toMatchObject({
    stage: "production",
    traffic: [{ model_version_id: first.version, weight: 100, role: "serving" }],
    health: { state: "ok", reasons: [] },
    last_change: { changed_by: "ana" },
  });
  const { weights } = await get(weightsReportSchema, `/v1/endpoints/${ENDPOINT}/weights`);
  expect(weights.at(-1)?.version_weights).toEqual({ [first.version]: 100 });
});

test("the way of a version is walked through the API, in two people's names", async () => {
  const { deployer, get, problem, ask } = await givenApi();
  const planned = await get(planReportSchema, "/v1/plans", { body: registerState() });
  expect(planned.differences).not.toEqual([]);
  const registered = await get(applyReportSchema, "/v1/actions", { body: registerState() });
  expect(registered).toMatchObject({ status: "completed", version_record: { current_stage: "development" } });
  const operation = await get(operationReportSchema, `/v1/operations/${registered.operation_id}`);
  expect(operation).toMatchObject({ requested_by: "ana", status: "succeeded", experiment_id: "remission" });
  expect(await deployer.database.modelVersions.list("remission")).toHaveLength(1);
  const missing = await problem("/v1/operations/op_nobody");
  expect(missing).toMatchObject({ status: 404, code: "not_found", retryable: false });
  expect((await ask("/v1/nothing")).headers.get("content-type")).toBe("application/problem+json");
});

test("an operation waits with its evidence, is approved by somebody else, and carried on", async () => {
  const { deployer, get, problem, ask } = await givenApi();
  await inProduction(deployer, "run1");
  await deployer.worker.tick();
  const version = await register(deployer, "run2");
  const { status, body } = await archived(ask, deployer);
  expect(version).not.toBe("");
  expect(status).toBe(409);
  expect(body).toMatchObject({ code: "approval_required", retryable: false });
  const { operations } = await get(operationsReportSchema, "/v1/operations?state=waiting");
  const [waiting] = operations;
  expect(waiting).toMatchObject({ approvals_needed: 1, approvals_given: 0, requested_by: "ana" });
  const path = `/v1/operations/${waiting?.operation_id}`;
  const own = await problem(`${path}/approvals`, { body: { reason: "I want it" } });
  expect(own).toMatchObject({ status: 409, code: "invalid_approval" });
  const approved = await ask(`${path}/approvals`, { body: { reason: "seen" }, token: APPROVER_TOKEN });
  expect(approved.status).toBe(201);
  expect(operationReportSchema.parse(await approved.json())).toMatchObject({
    approvals_given: 1,
    approvals: [{ approver: "omar", reason: "seen", holds: true }],
  });
  const resumed = await get(z.looseObject({ status: z.string() }), `${path}/resumptions`, { method: "POST" });
  expect(resumed.status).toBe("completed");
});

async function archived(
  ask: Awaited<ReturnType<typeof givenApi>>["ask"],
  deployer: Awaited<ReturnType<typeof givenApi>>["deployer"],
) {
  const production = await deployer.database.modelVersions.getProduction("remission");
  const response = await ask("/v1/actions", {
    body: {
      deployment_action: "promote",
      model_version_id: production?.model_version_id,
      target_stage: "archived",
      promotion_reason: "a try",
    },
  });
  const body: unknown = await response.json();
  return { status: response.status, body };
}

test("the same key with the same body gets the same answer, and with another body is refused", async () => {
  const { get, problem } = await givenApi();
  const headers = { "idempotency-key": "monday-1" };
  const first = await get(applyReportSchema, "/v1/actions", { body: registerState(), headers });
  const again = await get(applyReportSchema, "/v1/actions", { body: registerState(), headers });
  expect(again.operation_id).toBe(first.operation_id);
  const other = await problem("/v1/actions", { body: registerState({ mlflow_run_id: "run2" }), headers });
  expect(other).toMatchObject({ status: 422, code: "idempotency_key_reused", retryable: false });
});

test("looks are kept with the threshold that they are compared with, and thinned", async () => {
  const { deployer, get } = await givenApi();
  await inProduction(deployer, "run1");
  await deployer.worker.tick();
  const steps = [
    { weight: 10, bake_seconds: 600 },
    { weight: 100, bake_seconds: 0 },
  ];
  await inProduction(deployer, "run2", { rollout: { steps } });
  for (let look = 0; look < 6; look += 1) {
    deployer.passTime({ seconds: look < 3 ? 5 : 1 });
    deployer.router.sendTraffic(ENDPOINT, 100);
    await deployer.worker.tick();
  }
  const { rollout } = await get(endpointViewSchema, `/v1/endpoints/${ENDPOINT}`);
  const report = await get(looksReportSchema, `/v1/rollouts/${rollout?.rollout_id}/looks`);
  expect(report).toMatchObject({ threshold: 100, alpha: 0.01 });
  expect(report.looks.length).toBeGreaterThan(2);
  expect(report.looks.length).toBeLessThan(6);
  expect(report.looks.at(-1)).toMatchObject({ candidate_weight: 10, verdict: { outcome: "inconclusive" } });
  const second = encodeURIComponent(report.looks[1]?.looked_at ?? "");
  const added = await get(looksReportSchema, `/v1/rollouts/${rollout?.rollout_id}/looks?since=${second}`);
  expect(added.looks).toEqual(report.looks.slice(2));
});

test.each([
  ["no token", { token: null }, 401, "not_authenticated"],
  ["a forged token", { token: "not-a-token-of-anybody" }, 401, "not_authenticated"],
  [
    "something else than a bearer token",
    { token: null, headers: { authorization: "Basic YW5hOmFuYQ==" } },
    401,
    "not_authenticated",
  ],
  ["a foreign page", { headers: { origin: "https://evil.example" } }, 403, "origin_refused"],
  ["a page without an origin", { headers: { origin: "null" } }, 403, "origin_refused"],
] as const)("%s is refused by a typed problem", async (_, asked, status, code) => {
  const { problem } = await givenApi();
  expect(await problem("/v1/endpoints", asked)).toMatchObject({ status, code });
});

test("a bad body is named by its field, and nothing is begun", async () => {
  const { problem, get } = await givenApi();
  expect(await problem("/v1/actions", { body: "{" })).toMatchObject({ status: 400, code: "invalid_request" });
  const unknown = await problem("/v1/actions", { body: { ...registerState(), nonsense: 1 } });
  expect(unknown).toMatchObject({ status: 400, code: "invalid_request" });
  expect(unknown.problems.join()).toContain("nonsense");
  const form = await problem("/v1/actions", { body: "a=1", headers: { "content-type": "text/plain" } });
  expect(form).toMatchObject({ status: 400, code: "invalid_request" });
  expect(form.detail).toContain("application/json");
  expect(await get(operationsReportSchema, "/v1/operations?state=ended")).toEqual({ operations: [] });
});

test("the OpenAPI document has every route, those before somebody is known too, and each of them exists", async () => {
  const { ask } = await givenApi();
  const { paths } = z
    .looseObject({
      openapi: z.literal("3.1.0"),
      paths: z.record(z.string(), z.record(z.string(), z.unknown())),
    })
    .parse(await (await ask("/v1/openapi.json", { token: null })).json());
  const sessions = ["/v1/session", "/v1/sessions", "/v1/oidc", "/v1/oidc/login", "/v1/oidc/callback"];
  expect(Object.keys(paths)).toEqual(expect.arrayContaining([...sessions, "/v1/events"]));
  expect(Object.keys(paths)).toContain("/v1/operations/{operation}/approvals");
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of Object.keys(methods)) {
      const response = await ask(path.replaceAll(/[{}]/g, ""), { method: method.toUpperCase(), token: null });
      expect(await response.text(), `${method} ${path}`).not.toContain("openapi.json lists what does");
    }
  }
});

test("a path under a method that it does not have names the methods that it has", async () => {
  const { ask, problem } = await givenApi();
  const asked = [
    ["DELETE", "/v1/endpoints", "GET"],
    ["PUT", "/v1/session", "GET, POST, DELETE"],
    ["POST", "/v1/operations/op_1", "GET"],
  ] as const;
  for (const [method, path, allow] of asked) {
    const answer = await ask(path, { method });
    expect([answer.status, answer.headers.get("allow")], path).toEqual([405, allow]);
    expect(await problem(path, { method })).toMatchObject({ code: "method_not_allowed", retryable: false });
  }
  expect(await problem("/v1/nothing", { method: "DELETE" })).toMatchObject({ status: 404 });
});
