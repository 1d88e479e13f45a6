import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ROUTES } from "../../../../src/api/api.ts";
import { STANDARD_GATE_POLICY } from "../../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { OPEN_INGRESS } from "../../../../src/agents/model_deployer/domain/access/ingress_policy.ts";
import {
  RIGHTS,
  RIGHTS_OF,
  type Right,
  ROLES,
} from "../../../../src/agents/model_deployer/domain/access/roles.ts";
import {
  ENDPOINT,
  inProduction,
  promote,
  readyForProduction,
  registerState,
} from "../../../../src/testing/index.ts";
import { statusReportSchema } from "../../../../src/service/report_schemas.ts";
import { givenApi, type GivenApi } from "../../../support/given/given_api.ts";

/** Who can do what: the right that each route takes. A route that is not here fails the test below. */
const TAKES: Record<string, Right> = {
  "get /v1/endpoints": "look",
  "get /v1/endpoints/{endpoint}": "look",
  "get /v1/endpoints/{endpoint}/pairs": "look",
  "get /v1/endpoints/{endpoint}/servers": "look",
  "get /v1/endpoints/{endpoint}/disagreements": "look",
  "get /v1/endpoints/{endpoint}/weights": "look",
  "get /v1/endpoints/{endpoint}/deployments": "look",
  "get /v1/endpoints/{endpoint}/outcomes": "look",
  "get /v1/endpoints/{endpoint}/ingress": "look",
  "put /v1/endpoints/{endpoint}/ingress": "configure",
  "post /v1/endpoints/{endpoint}/keys": "configure",
  "delete /v1/endpoints/{endpoint}/keys/{key}": "configure",
  "get /v1/rollouts/{rollout}/looks": "look",
  "post /v1/judgements": "look",
  "post /v1/replays": "act",
  "get /v1/experiments/{experiment}/releases/{run}": "look",
  "get /v1/doctor": "administer",
  "post /v1/reconciliations": "act",
  "get /v1/status": "look",
  "get /v1/history/{subject}": "look",
  "get /v1/experiments": "look",
  "get /v1/experiments/{experiment}": "look",
  "get /v1/bills/{served}": "look",
  "get /v1/experiments/{experiment}/versions": "look",
  "get /v1/operations": "look",
  "get /v1/operations/{operation}": "look",
  "post /v1/plans": "look",
  "post /v1/actions": "act",
  "post /v1/operations/{operation}/resumptions": "act",
  "post /v1/operations/{operation}/approvals": "approve",
  "post /v1/operations/{operation}/revocations": "look",
  "post /v1/operations/{operation}/refusals": "approve",
  "get /v1/principals": "administer",
  "post /v1/principals": "administer",
  "post /v1/principals/{principal}/tokens": "administer",
  "delete /v1/tokens/{token}": "administer",
  "post /v1/principals/{principal}/grants": "administer",
  "post /v1/principals/{principal}/revocations": "administer",
  "post /v1/principals/{principal}/removals": "administer",
  "post /v1/principals/{principal}/logins": "administer",
  "post /v1/logins/unlinked": "administer",
  "post /v1/experiments": "configure",
  "put /v1/experiments/{experiment}/criteria": "configure",
  "get /v1/experiments/{experiment}/policy": "look",
  "put /v1/experiments/{experiment}/policy": "configure",
  "post /v1/outcomes": "act",
  "get /v1/notifications": "configure",
  "put /v1/notifications/{sink}": "configure",
  "post /v1/notifications/{sink}/trials": "configure",
  "post /v1/notifications/{sink}/retries": "configure",
  "delete /v1/notifications/{sink}": "configure",
  "get /v1/audit": "administer",
  "get /v1/audit/verification": "administer",
};

const { policy_id: _, ...POLICY } = STANDARD_GATE_POLICY;

const { tls: _tls, ...OPEN_INGRESS_CHANGE } = OPEN_INGRESS;

/** A body that each route reads, so that what is refused is refused for the right alone. */
const BODIES: Record<string, unknown> = {
  "post /v1/plans": registerState(),
  "post /v1/judgements": { target: "nobody" },
  "post /v1/replays": { model_version_id: "nobody", from: { endpoint_name: "nobody" } },
  "post /v1/actions": registerState(),
  "post /v1/operations/{operation}/approvals": { reason: "a test" },
  "post /v1/operations/{operation}/revocations": { reason: "a test" },
  "post /v1/operations/{operation}/refusals": { reason: "a test" },
  "post /v1/experiments": {
    ...{ experiment_id: "nobody", experiment_name: "Nobody", prediction_target: "nothing" },
    ...{ minimum_auc: null, minimum_precision_at_k: null, maximum_fpr: null },
  },
  "put /v1/experiments/{experiment}/criteria": { criteria: [], reason: "a test" },
  "put /v1/experiments/{experiment}/policy": POLICY,
  "post /v1/outcomes": { outcomes: [{ request_id: "a", outcome: 1 }] },
  "put /v1/endpoints/{endpoint}/ingress": { ...OPEN_INGRESS_CHANGE, reason: "a test" },
  "post /v1/endpoints/{endpoint}/keys": { key_name: "a test", days: 1 },
  "post /v1/principals": { principal: "eva" },
  "post /v1/principals/{principal}/tokens": { label: "a test" },
  "post /v1/principals/{principal}/grants": { role: "viewer" },
  "post /v1/principals/{principal}/revocations": { role: "viewer" },
  "post /v1/principals/{principal}/removals": { reason: "a test" },
  "post /v1/principals/{principal}/logins": { provider: "os", subject: "eva" },
  "post /v1/logins/unlinked": { provider: "os", subject: "eva" },
  "put /v1/notifications/{sink}": { to: { kind: "email", to: ["eva@example.org"] } },
};

const EVAS_TOKEN = "eva-has-a-long-secret";

test("every route says which right it takes, and the table has them all", () => {
  const found = Object.fromEntries(
    ROUTES.map(({ definition: { method, path, right } }) => [`${method} ${path}`, right]),
  );
  expect(found).toEqual(TAKES);
});

test.each(ROLES)("a principal with the role %s can do what the table says, and no more", async (role) => {
  const { deployer, ask } = await givenApi();
  await deployer.database.principals.enrol("eva", EVAS_TOKEN, { roles: [role] });
  for (const [route, right] of Object.entries(TAKES)) {
    const [method = "", path = ""] = route.split(" ");
    const named = path.replaceAll(/\{\w+\}/g, "nobody");
    const asked = { method: method.toUpperCase(), token: EVAS_TOKEN, body: BODIES[route] };
    const { status } = await ask(named, asked);
    if (RIGHTS_OF[role].includes(right)) expect(status, route).not.toBe(403);
    else expect(status, route).toBe(403);
    expect(status, route).toBeLessThan(500);
  }
});

test("who has no role can do nothing, and is told what it takes and who grants it", async () => {
  const { deployer, ask, problem } = await givenApi();
  await deployer.database.principals.enrol("eva", EVAS_TOKEN, { roles: [] });
  for (const route of Object.keys(TAKES)) {
    const [method = "", path = ""] = route.split(" ");
    const asked = { method: method.toUpperCase(), token: EVAS_TOKEN, body: BODIES[route] };
    expect((await ask(path.replaceAll(/\{\w+\}/g, "nobody"), asked)).status, route).toBe(403);
  }
  expect((await ask("/v1/events", { token: EVAS_TOKEN })).status).toBe(403);
  const refused = await problem("/v1/actions", { token: EVAS_TOKEN, body: registerState() });
  expect(refused).toMatchObject({ code: "not_permitted", retryable: false });
  expect(refused.detail).toContain("operator or administrator");
  expect(refused.next[0]?.command).toBe("model-deployer principals grant eva operator");
});

async function givenOther(given: GivenApi): Promise<void> {
  const { database } = given.deployer;
  const relapse = {
    ...{ experiment_id: "relapse", experiment_name: "Relapse", prediction_target: "relapse" },
    ...{ minimum_auc: null, minimum_precision_at_k: null, maximum_fpr: null },
  };
  await database.experiments.create(relapse, "ana");
  await database.principals.enrol("eva", EVAS_TOKEN, { roles: ["operator"], experiment_id: "relapse" });
}

test("a role for one experiment shows and moves nothing of another", async () => {
  const given = await givenApi();
  const { deployer, ask } = given;
  await givenOther(given);
  await inProduction(deployer, "run1");
  const asEva = { token: EVAS_TOKEN };
  const seen = async (path: string) => (await ask(path, asEva)).json();
  expect(await seen("/v1/endpoints")).toEqual({ endpoints: [] });
  expect(await seen("/v1/operations?state=ended")).toEqual({ operations: [] });
  expect(await seen("/v1/experiments")).toMatchObject({ experiments: [{ experiment_id: "relapse" }] });
  const others = [`/v1/endpoints/${ENDPOINT}`, "/v1/history/remission", "/v1/endpoints/nothing"];
  for (const path of others) expect((await ask(path, asEva)).status, path).toBe(403);
  const act = {
    ...asEva,
    body: { deployment_action: "rollback", endpoint_name: ENDPOINT, rollback_reason: "x" },
  };
  expect((await ask("/v1/actions", act)).status).toBe(403);
  expect((await ask("/v1/plans", { ...asEva, body: registerState() })).status).toBe(403);
  expect((await ask("/v1/history/relapse", asEva)).status).toBe(200);
});

test("the status of a role for one experiment has its endpoints and operations, and nothing of the machine's", async () => {
  const given = await givenApi();
  const { deployer, ask, get } = given;
  await givenOther(given);
  await inProduction(deployer, "run1");
  const asRemission = "kim-has-a-long-secret";
  await deployer.database.principals.enrol("kim", asRemission, {
    ...{ roles: ["viewer"], experiment_id: "remission" },
  });
  const version = await readyForProduction(deployer, "run2");
  await promote(deployer, version, "production");
  const own = await get(statusReportSchema, "/v1/status", { token: asRemission });
  expect(own.endpoints.map(({ endpoint_name }) => endpoint_name)).toEqual([ENDPOINT]);
  const waits = [...own.operations, ...(own.endpoints[0]?.operations ?? [])];
  expect(waits.map(({ action }) => action)).toEqual(["promote"]);
  const others = await get(statusReportSchema, "/v1/status", { token: EVAS_TOKEN });
  expect(others).toMatchObject({ endpoints: [], operations: [], under_way: [], degraded: [] });
  expect((await ask(`/v1/status?endpoint=${ENDPOINT}`, { token: EVAS_TOKEN })).status).toBe(403);
});

test("docs/api.md has the table of roles and rights as the code has it", async () => {
  const page = await readFile(new URL("../../../../docs/api.md", import.meta.url), "utf8");
  for (const role of ROLES) {
    const row = new RegExp(`^\\| ${role} +\\|(.*)\\|$`, "m").exec(page)?.[1] ?? "";
    const cells = row.split("|").map((cell) => cell.trim() === "yes");
    expect(Object.fromEntries(RIGHTS.map((right, index) => [right, cells[index]])), role).toEqual(
      Object.fromEntries(RIGHTS.map((right) => [right, RIGHTS_OF[role].includes(right)])),
    );
  }
});
