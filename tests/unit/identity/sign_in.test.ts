import { expect, test } from "vitest";
import { auditReportSchema } from "../../../src/service/audit/audit_schemas.ts";
import { openedSessionSchema } from "../../../src/service/people/sign_in_schemas.ts";
import { givenApi } from "../../support/given/given_api.ts";
import { BrowserOfPerson } from "../../support/identity/browser_of_person.ts";
import { AUDIENCE, givenProvider, type GivenProvider } from "../../support/identity/given_provider.ts";

const HOST = "127.0.0.1:8300";
const EVA = "eva-has-a-long-secret";
const ROLES = [
  { group: "ml-ops", role: "operator" as const, experiment_id: null },
  { group: "reviewers", role: "approver" as const, experiment_id: "remission" },
  { group: "client:pipeline", role: "operator" as const, experiment_id: null },
];

async function given(provider?: GivenProvider) {
  const found = provider ?? (await givenProvider());
  const signIns = { provider: found.provider, roles: ROLES, sessionHours: 1, checkMinutes: 15 };
  const api = await givenApi({ signIns });
  await api.deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  const browser = (login: string) =>
    new BrowserOfPerson(login, (url, init) =>
      url.startsWith(`http://${HOST}/`)
        ? Promise.resolve(api.api.fetch(new Request(url, init)))
        : fetch(url, init),
    );
  const exchange = (token: string) => api.ask("/v1/sessions", { token: null, body: { token } });
  const refused = async (token: string) => api.problem("/v1/sessions", { token: null, body: { token } });
  return { ...api, found, browser, exchange, refused };
}

const ana = { preferred_username: "ana.lopez", groups: ["ml-ops"] };

test("a person signs in by the console's button, has the roles of their groups, and is out when they sign out", async () => {
  const { browser, ask, get } = await given();
  const person = browser("sub-ana");
  const { url } = await person.open(`http://${HOST}/v1/oidc/login`);
  expect(new URL(url).pathname + new URL(url).hash).toBe("/");
  const token = person.cookie(HOST, "model_deployer_session") ?? "";
  expect(person.cookie(HOST, "model_deployer_sign_in")).toBeUndefined();
  const session = await (await ask("/v1/session", { token })).json();
  expect(session).toMatchObject({
    principal: "ana.lopez",
    grants: [{ role: "operator", experiment_id: null }],
  });
  const { links } = await get(auditReportSchema, "/v1/audit?who=ana.lopez", { token: EVA });
  expect(links.map(({ entry }) => `${entry.action} ${entry.outcome}`)).toContain("session signed_in");
  expect((await ask("/v1/session", { method: "DELETE", token })).status).toBe(204);
  expect((await ask("/v1/session", { token })).status).toBe(401);
});

test("the session's cookie is out of scripts' reach and sent with no other site's request", async () => {
  const { api, found } = await given();
  const answers: Response[] = [];
  const person = new BrowserOfPerson("sub-ana", async (url, init) => {
    const answer = url.startsWith(`http://${HOST}/`)
      ? await api.fetch(new Request(url, init))
      : await fetch(url, init);
    answers.push(answer);
    return answer;
  });
  await person.open(`http://${HOST}/v1/oidc/login`);
  const cookies = answers.flatMap((answer) => answer.headers.getSetCookie());
  const session = cookies.find((one) => one.startsWith("model_deployer_session="));
  expect(session).toMatch(/HttpOnly/);
  expect(session).toMatch(/SameSite=Strict/);
  const underWay = cookies.find((one) => one.startsWith("model_deployer_sign_in="));
  expect(underWay).toMatch(/HttpOnly.*SameSite=Lax|SameSite=Lax.*HttpOnly/);
  expect(decodeURIComponent(underWay ?? "")).not.toMatch(/verifier|nonce/);
  const asked = answers
    .map((one) => one.headers.get("location") ?? "")
    .find((one) => one.startsWith(found.issuer));
  expect(asked).toMatch(/code_challenge_method=S256/);
});

test("a callback that this browser did not begin, or that was altered, signs nobody in", async () => {
  const { ask, browser } = await given();
  const alone = await ask("/v1/oidc/callback?code=stolen&state=any", { token: null });
  expect(decodeURIComponent(alone.headers.get("location") ?? "")).toContain("begin anew");
  expect(alone.headers.getSetCookie().join()).not.toContain("model_deployer_session=");
  const cookie = "model_deployer_sign_in=sealed:1:aaaaaaaa:bm90aGluZw";
  const foreign = await ask("/v1/oidc/callback?code=stolen&state=any", { token: null, headers: { cookie } });
  expect(decodeURIComponent(foreign.headers.get("location") ?? "")).toContain("begun elsewhere");
  const person = browser("sub-ana");
  const begun = await ask("/v1/oidc/login", { token: null });
  const kept = /model_deployer_sign_in=([^;]+)/.exec(begun.headers.getSetCookie().join())?.[1] ?? "";
  await person.open(`http://${HOST}/v1/oidc/login`);
  const other = await ask("/v1/oidc/callback?code=stolen&state=not-mine", {
    token: null,
    headers: { cookie: `model_deployer_sign_in=${kept}` },
  });
  expect(decodeURIComponent(other.headers.get("location") ?? "")).toMatch(/#sign-in=.*not asked for/);
});

test("the command that links a login can be typed as it stands, whatever the provider calls its subject", async () => {
  const { found, refused } = await given();
  const subject = "auth0|1; touch '/tmp/x'";
  found.people[subject] = { name: "eva", groups: ["ml-ops"] };
  const claims = { sub: subject, preferred_username: "eva", groups: ["ml-ops"] };
  const taken = await refused(await found.signed(claims));
  expect(taken.detail).toContain(String.raw`--subject 'auth0|1; touch '\''/tmp/x'\'''`);
});

test.each(["the judge", "Model_Deployer", "OPERATOR"])(
  "%s at the provider is not taken for the deployer itself",
  async (name) => {
    const { found, refused, deployer } = await given();
    const claims = { sub: "sub-eve", preferred_username: name, groups: ["ml-ops"] };
    const taken = await refused(await found.signed(claims));
    expect(taken).toMatchObject({ status: 409, code: "conflict", retryable: false });
    expect(taken.detail).toContain("principals link <name> --issuer");
    expect(await deployer.database.principalAdministration.list(name)).toEqual([]);
  },
);

test("one human is one principal, by whatever they sign in: a name of somebody else's is not taken over", async () => {
  const { found, refused, exchange, ask, deployer } = await given();
  found.people["sub-eve"] = { name: "EVA ", groups: ["ml-ops"] };
  const token = await found.signed({ sub: "sub-eve", preferred_username: "EVA ", groups: ["ml-ops"] });
  const taken = await refused(token);
  expect(taken).toMatchObject({ status: 409, code: "conflict", retryable: false });
  expect(taken.detail).toContain(`principals link EVA --issuer ${found.issuer} --subject sub-eve`);
  const login = { provider: found.issuer, subject: "sub-eve" };
  expect((await ask("/v1/principals/eva/logins", { token: EVA, body: login })).status).toBe(200);
  const opened = openedSessionSchema.parse(await (await exchange(token)).json());
  expect(opened.principal).toBe("eva");
  const [eva] = await deployer.database.principalAdministration.list("eva");
  expect(eva?.logins).toEqual([login]);
  expect(eva?.grants.map(({ role }) => role).toSorted()).toEqual(["administrator", "operator"]);
});

test("the roles of groups come and go with them; what an administrator granted stays", async () => {
  const { found, exchange, refused, ask, deployer } = await given();
  const grantsOf = async (groups: string[]) =>
    openedSessionSchema.parse(
      await (await exchange(await found.signed({ preferred_username: "ana.lopez", groups }))).json(),
    ).grants;
  expect(await grantsOf(["ml-ops", "client:pipeline"])).toEqual([{ role: "operator", experiment_id: null }]);
  expect(await grantsOf(["reviewers"])).toEqual([{ role: "approver", experiment_id: "remission" }]);
  const none = await refused(await found.signed({ ...ana, groups: ["others"] }));
  expect(none).toMatchObject({ status: 403, code: "not_permitted" });
  expect(none.detail).toContain("others");
  expect(await deployer.database.access.grantsOf("ana.lopez")).toEqual([]);
  await ask("/v1/principals/ana.lopez/grants", { token: EVA, body: { role: "viewer" } });
  expect(await grantsOf([])).toEqual([{ role: "viewer", experiment_id: null }]);
  await ask("/v1/principals/ana.lopez/removals", { token: EVA, body: { reason: "left" } });
  expect(await refused(await found.signed(ana))).toMatchObject({ status: 401, code: "not_authenticated" });
});

test("who has no group here is not enrolled by asking", async () => {
  const { found, refused, deployer } = await given();
  expect((await refused(await found.signed({ sub: "x", preferred_username: "kim" }))).status).toBe(403);
  expect(await deployer.database.principalAdministration.list("kim")).toEqual([]);
});

test("a machine signs in by its client's access token, as a machine", async () => {
  const { found, exchange, refused, deployer } = await given();
  const machine = { typ: "at+jwt", audience: AUDIENCE };
  const claims = { sub: "pipeline", client_id: "pipeline" };
  const opened = openedSessionSchema.parse(
    await (await exchange(await found.signed(claims, machine))).json(),
  );
  expect(opened).toMatchObject({ principal: "pipeline", grants: [{ role: "operator" }] });
  const [pipeline] = await deployer.database.principalAdministration.list("pipeline");
  expect(pipeline?.kind).toBe("machine");
  const ofPerson = await refused(await found.signed({ ...ana, client_id: "terminal" }, machine));
  expect(ofPerson.detail).toContain("a person's");
});

const HOUR = 3600;
const now = () => Math.floor(Date.now() / 1000);

test.each([
  ["expired", { issuedAt: now() - HOUR }, "expired"],
  ["forged", { forged: true }, "not one that"],
  ["for somebody else", { audience: "another-application" }, "audience"],
  ["of a clock that runs ahead", { issuedAt: now() + HOUR }, "clock"],
  ["old, although in force", { issuedAt: now() - HOUR, expiresIn: 2 * HOUR }, "older than ten minutes"],
  ["a machine's by its audience alone", { audience: AUDIENCE }, "audience"],
  ["an access token for the console's client", { typ: "at+jwt", audience: "console" }, "person's"],
])("a token that is %s opens nothing", async (_, options, says) => {
  const { found, refused, deployer } = await given();
  const problem = await refused(await found.signed(ana, options));
  expect(problem).toMatchObject({ status: 401, code: "not_authenticated", retryable: false });
  expect(problem.detail).toContain(says);
  expect(await deployer.database.principalAdministration.list("ana.lopez")).toEqual([]);
});

test.each([
  ["no token", "x"],
  [
    "no signature",
    `${Buffer.from('{"alg":"none"}').toString("base64url")}.${Buffer.from('{"sub":"eva"}').toString("base64url")}.`,
  ],
  ["another issuer", null],
])("%s opens nothing", async (_, text) => {
  const { found, refused } = await given();
  const token = text ?? (await found.signed({ ...ana, iss: "https://other.example.org" }));
  const problem = await refused(text === null ? await (await givenProvider()).signed(ana) : token);
  expect(problem).toMatchObject({ status: 401, code: "not_authenticated" });
});

test("a few seconds between two clocks are no reason to refuse, and minutes are", async () => {
  const { found, exchange, refused } = await given();
  const issued = (seconds: number, expiresIn = 300) =>
    found.signed(ana, { issuedAt: now() + seconds, expiresIn });
  expect((await exchange(await issued(20))).status).toBe(201);
  expect((await exchange(await issued(-320))).status).toBe(201);
  expect((await refused(await issued(180))).detail).toContain("clock");
  expect((await refused(await issued(-480))).detail).toContain("expired");
});

test("groups that are no list, and a name that may look like another, are refused", async () => {
  const { found, refused } = await given();
  expect((await refused(await found.signed({ ...ana, groups: { a: 1 } }))).detail).toContain("groups");
  const hostile = { ...ana, preferred_username: "omar\u202e" };
  expect(await refused(await found.signed(hostile))).toMatchObject({ status: 400, code: "invalid_request" });
});

test("a provider that is away is told as such, and asked again once it is back", async () => {
  const { found, problem, ask } = await given();
  await found.stop();
  const away = await problem("/v1/sessions", { token: null, body: { token: "any" } });
  expect(away).toMatchObject({ status: 503, code: "service_unavailable", retryable: true });
  expect((await ask("/v1/oidc/login", { token: null })).status).toBe(503);
  expect((await ask("/v1/endpoints")).status).toBe(200);
});

test("where no provider is set, the routes say so", async () => {
  const { problem } = await givenApi();
  expect(await problem("/v1/oidc", { token: null })).toMatchObject({ status: 404, code: "not_found" });
});
