import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { expect, test } from "vitest";
import { ROUTES } from "../../../src/api/api.ts";
import { isCarriedOutOnce } from "../../../src/api/api_route.ts";
import { principalReportSchema } from "../../../src/service/people/principal_schemas.ts";
import { ANAS_TOKEN, type Asked, givenApi } from "../../support/given/given_api.ts";

const EVA = "eva-has-a-long-secret";

async function given() {
  const api = await givenApi();
  await api.deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  const keyed = (key: string, body: unknown, more: Asked = {}): Asked => ({
    ...{ token: EVA, body, headers: { "idempotency-key": key } },
    ...more,
  });
  return { ...api, keyed };
}

test("every route that changes something is carried out once for its key, or by its operation's", () => {
  const without = ROUTES.filter(
    ({ definition }) => definition.method !== "get" && !isCarriedOutOnce(definition),
  );
  expect(without.map(({ definition }) => definition.path)).toEqual([
    "/v1/judgements",
    "/v1/replays",
    "/v1/plans",
    "/v1/actions",
  ]);
});

test("the same key with the same request gets the same answer, a token that is shown once included", async () => {
  const { ask, get, keyed, deployer } = await given();
  const asked = keyed("one", { principal: "kim", roles: ["viewer"] });
  const first = await ask("/v1/principals", asked);
  const again = await ask("/v1/principals", asked);
  expect([first.status, again.status]).toEqual([201, 201]);
  expect([first, again].map(({ headers }) => headers.get("idempotency-replayed"))).toEqual([null, "true"]);
  const { token } = principalReportSchema.parse(await first.json());
  const repeated = principalReportSchema.parse(await again.json());
  expect(repeated.token).toBe(token);
  expect((await ask("/v1/endpoints", { token })).status).toBe(200);
  const [kim] = await deployer.database.principalAdministration.list("kim");
  expect(kim?.tokens).toHaveLength(1);
  await get(principalReportSchema, "/v1/principals", keyed("two", { principal: "kim" }));
  expect((await ask("/v1/endpoints", { token })).status).toBe(401);
});

test("the same key with another body, path or method is refused, and changes nothing", async () => {
  const { ask, problem, keyed, deployer } = await given();
  await ask("/v1/principals", keyed("one", { principal: "kim" }));
  const others: [string, Asked][] = [
    ["/v1/principals", keyed("one", { principal: "eve" })],
    ["/v1/principals/kim/grants", keyed("one", { role: "viewer" })],
    ["/v1/notifications/kim", keyed("one", undefined, { method: "DELETE" })],
  ];
  for (const [path, asked] of others) {
    const refused = await problem(path, asked);
    expect(refused, path).toMatchObject({ status: 422, code: "idempotency_key_reused", retryable: false });
  }
  expect(await deployer.database.principalAdministration.list("eve")).toEqual([]);
});

test("a key is its principal's: another one's is another key, and nobody gets another's answer", async () => {
  const { ask, keyed } = await given();
  const body = { outcomes: [{ request_id: "a", outcome: 1 }] };
  const headers = { "idempotency-key": "one" };
  await ask("/v1/outcomes", { token: ANAS_TOKEN, body, headers });
  const evas = await ask("/v1/outcomes", keyed("one", body));
  expect(evas.headers.get("idempotency-replayed")).toBeNull();
});

test("while the first is under way the same request waits, and after a crash it is carried out", async () => {
  const { problem, ask, keyed, deployer } = await given();
  await ask("/v1/principals", { token: EVA, body: { principal: "kim" } });
  const [path, body] = ["/v1/principals/kim/removals", { reason: "left" }];
  const request = { method: "post", path, params: { principal: "kim" }, body };
  const payload_hash = createHash("sha256")
    .update(canonicalize(request) ?? "")
    .digest("hex");
  const { answeredRequests } = deployer.database;
  expect(await answeredRequests.claim({ principal: "eva", request_key: "one", payload_hash })).toBeNull();
  const under = await problem(path, keyed("one", body));
  expect(under).toMatchObject({ status: 409, code: "conflict", retryable: true });
  deployer.passTime({ minutes: 3 });
  expect((await ask(path, keyed("one", body))).status).toBe(200);
});

test("what was refused is asked for anew, and a key of another day is a new one", async () => {
  const { ask, keyed, deployer } = await given();
  const grant = keyed("one", { role: "viewer" });
  expect((await ask("/v1/principals/kim/grants", grant)).status).toBe(404);
  await ask("/v1/principals", keyed("two", { principal: "kim" }));
  expect((await ask("/v1/principals/kim/grants", grant)).status).toBe(200);
  deployer.passTime({ hours: 25 });
  const other = await ask("/v1/principals", keyed("one", { principal: "eve" }));
  expect(other.status).toBe(201);
});

test.each(["", "a key", "\u00fc", "x".repeat(256)])("%j is no key", async (key) => {
  const { problem, keyed } = await given();
  const refused = await problem("/v1/outcomes", keyed(key, { outcomes: [] }));
  expect(refused).toMatchObject({ status: 400, code: "invalid_request" });
  expect(refused.detail).toContain("An Idempotency-Key has");
});
