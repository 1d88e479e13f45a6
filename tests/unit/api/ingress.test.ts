import { expect, test } from "vitest";
import { OPEN_INGRESS } from "../../../src/agents/model_deployer/domain/access/ingress_policy.ts";
import { ingressReportSchema, newKeyReportSchema } from "../../../src/service/ingress/ingress_schemas.ts";
import { ENDPOINT, inProduction } from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";

const path = `/v1/endpoints/${ENDPOINT}/ingress`;
const keysPath = `/v1/endpoints/${ENDPOINT}/keys`;
const EVA = "eva-has-a-long-secret";
const { tls: _, ...OPEN } = OPEN_INGRESS;
const put = (change: object) => ({
  ...{ method: "PUT", token: EVA },
  body: { ...OPEN, reason: "partners alone", ...change },
});

async function givenGuard(options: { guards?: true } = { guards: true }) {
  const given = await givenApi(options);
  await given.deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  await inProduction(given.deployer, "run1");
  return given;
}

test("who may call an endpoint is set, enforced, shown and written down with its reason", async () => {
  const { get, deployer } = await givenGuard();
  const limits = { ...OPEN.limits, caller_rate: { requests: 5, seconds: 60 } };
  const set = await get(ingressReportSchema, path, put({ keys: true, limits }));
  expect(set).toMatchObject({ revision: 1, enforced: 1, policy: { keys: true, limits } });
  expect(await get(ingressReportSchema, path)).toEqual(set);
  const newest = await deployer.database.auditTrail.newest({ limit: 20, who: null, subject: null });
  expect(JSON.stringify(newest)).toContain("partners alone");
});

test("a key is shown in one answer alone, the same for the same Idempotency-Key, and revoked", async () => {
  const { get, ask } = await givenGuard();
  const asked = {
    ...{ token: EVA, body: { key_name: "payer", days: 30 } },
    headers: { "idempotency-key": "key-for-the-payer" },
  };
  const made = await get(newKeyReportSchema, keysPath, asked);
  expect(await get(newKeyReportSchema, keysPath, asked)).toEqual(made);
  const shown = await (await ask(path)).text();
  expect(shown).toContain("payer");
  expect(shown).not.toContain(made.key);
  const revoked = await get(ingressReportSchema, `${keysPath}/${made.key_id}`, {
    method: "DELETE",
    token: EVA,
  });
  expect(revoked.keys.map(({ is_in_force }) => is_in_force)).toEqual([false]);
});

test("what makes no sense is refused, and changes nothing", async () => {
  const { get, problem } = await givenGuard();
  const tokens = (source: string) => put({ tokens: { issuer: "https://id", audience: "churn", source } });
  const refused: [string, object, RegExp][] = [
    ["a file of the machine", tokens("/etc/passwd"), /tokens\.source is "\/etc\/passwd"/],
    ["an address without TLS", tokens("http://127.0.0.1:9/jwks"), /begins with https:/],
    ["an address where nothing answers", tokens("https://127.0.0.1:9/jwks"), /cannot be read/],
    ["a limit for callers that nobody tells apart", caller({ requests: 1, seconds: 1 }), /demand one/],
    ["a certificate", put({ tls: { certificate: "/a", key: "/b" } }), /tls/],
    ["a rate of 0", caller({ requests: 0, seconds: 1 }), /caller_rate/],
    ["no reason", put({ reason: " " }), /reason/],
  ];
  for (const [what, asked, sentence] of refused) {
    const { status, code, detail } = await problem(path, asked);
    expect([what, status, code]).toEqual([what, 400, "invalid_request"]);
    expect(detail, what).toMatch(sentence);
  }
  for (const days of [0, -1, 4_000, "30"]) {
    const asked = { token: EVA, body: { key_name: "payer", days } };
    expect(await problem(keysPath, asked)).toMatchObject({ status: 400, code: "invalid_request" });
  }
  const unknown = { method: "DELETE", token: EVA };
  expect(await problem(`${keysPath}/key_none`, unknown)).toMatchObject({ status: 404, code: "not_found" });
  expect(await get(ingressReportSchema, path)).toMatchObject({ revision: 0, keys: [] });
});

function caller(caller_rate: object) {
  return put({ limits: { ...OPEN.limits, caller_rate } });
}

test("where the router lets everybody in, a policy is refused by that name", async () => {
  const { problem, get } = await givenGuard({});
  expect(await problem(path, put({ keys: true }))).toMatchObject({ code: "configuration", retryable: false });
  expect(await get(ingressReportSchema, path)).toMatchObject({ revision: 0, enforced: null });
});
