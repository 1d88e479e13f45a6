import { expect, test } from "vitest";
import { ANAS_TOKEN, givenApi } from "../../../support/given/given_api.ts";

const EVAS_TOKEN = "eva-has-a-long-secret";

test.each([
  ["nobody's", "nobody-has-this-secret"],
  ["one that differs in its last letter", `${ANAS_TOKEN.slice(0, -1)}x`],
  ["a hash of a token", "0".repeat(64)],
  ["an unsigned JSON web token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEifQ."],
])("a token that is %s opens nothing, and its text comes back nowhere", async (_, token) => {
  const { ask } = await givenApi();
  const response = await ask("/v1/endpoints", { token });
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toContain("Bearer");
  expect(await response.text()).not.toContain(token);
});

test("a token that has expired says so, and another of the same principal goes on", async () => {
  const { deployer, ask, problem } = await givenApi();
  const { database, clock } = deployer;
  const inAnHour = new Date(Date.parse(await database.clock.now()) + 3_600_000).toISOString();
  await database.principals.enrol("ana", EVAS_TOKEN, { beside: true, roles: [], expires_at: inAnHour });
  expect((await ask("/v1/endpoints", { token: EVAS_TOKEN })).status).toBe(200);
  clock.turn({ hours: 2 });
  const late = await problem("/v1/endpoints", { token: EVAS_TOKEN });
  expect(late).toMatchObject({ status: 401, code: "not_authenticated", retryable: false });
  expect(late.detail).toContain("it expired at");
  expect((await ask("/v1/endpoints")).status).toBe(200);
});

test.each([
  ["a header of two tokens", { authorization: "Bearer one-long-token-here two" }],
  ["a password", { authorization: "Basic YW5hOmFuYQ==" }],
  ["an empty one", { authorization: "Bearer " }],
  ["a cookie that is no session", { cookie: "model_deployer_session=forged-session-0123456" }],
])("%s is no credential", async (_, headers) => {
  const { ask } = await givenApi();
  expect((await ask("/v1/endpoints", { token: null, headers })).status).toBe(401);
});

test("a page of another site may neither read nor act with the browser's session", async () => {
  const { ask } = await givenApi();
  const signedIn = await ask("/v1/session", { method: "POST" });
  const cookie = (signedIn.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  expect(signedIn.headers.get("set-cookie")).toMatch(/HttpOnly.*SameSite=Strict/i);
  const asBrowser = { token: null, method: "POST", body: { deployment_action: "rollback" } };
  const foreign = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
  ];
  for (const headers of foreign) {
    const response = await ask("/v1/actions", { ...asBrowser, headers: { cookie, ...headers } });
    expect(response.status, JSON.stringify(headers)).toBe(403);
    expect(await response.text()).toContain("origin_refused");
  }
});

test("behind a proxy that asks by another name the console acts, and nobody else's page does", async () => {
  const { ask } = await givenApi({ publicUrl: "https://models.example.org/" });
  const from = (origin: string) => ({ method: "POST", headers: { origin } });
  expect((await ask("/v1/session", from("https://models.example.org"))).status).toBe(200);
  for (const origin of ["http://models.example.org", "https://models.example.org.evil.example", "null"])
    expect((await ask("/v1/session", from(origin))).status, origin).toBe(403);
});

test("no page may put the console or an answer into a frame of its own", async () => {
  const { ask } = await givenApi();
  for (const path of ["/", "/v1/endpoints"]) {
    expect((await ask(path)).headers.get("x-frame-options"), path).toBe("DENY");
  }
});

test("of an error that is none of ours a caller is told that it happened, and the server's log what", async () => {
  const { deployer, problem, unexpected } = await givenApi();
  const list = () => Promise.reject(new TypeError("/home/ana/.pgpass: password=hunter2"));
  Object.assign(deployer.database.summaries, { list });
  const told = await problem("/v1/endpoints");
  expect(told).toMatchObject({ status: 500, code: "unexpected" });
  expect(JSON.stringify(told)).not.toMatch(/hunter2|pgpass/);
  expect(String(unexpected)).toContain("hunter2");
});
