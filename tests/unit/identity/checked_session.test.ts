import { expect, test } from "vitest";
import { openedSessionSchema } from "../../../src/service/people/sign_in_schemas.ts";
import { pollUntil } from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";
import { BrowserOfPerson } from "../../support/identity/browser_of_person.ts";
import { deployersSide, givenProvider } from "../../support/identity/given_provider.ts";

const HOST = "127.0.0.1:8300";
const ROLES = [
  { group: "ml-ops", role: "operator" as const, experiment_id: null },
  { group: "reviewers", role: "approver" as const, experiment_id: "remission" },
];

/** Ana, signed in at a provider that lets itself be asked again after 15 minutes; `turn` lets minutes pass here. */
async function given({
  scope = "openid profile offline_access",
  checkMinutes = 15,
  recheckMs = 60_000,
} = {}) {
  const found = await givenProvider();
  const provider = deployersSide(found.issuer, scope);
  const signIns = { provider, roles: ROLES, sessionHours: 12, checkMinutes };
  const api = await givenApi({
    signIns,
    limits: { mostStreams: 10, mostUnreadBytes: 1e6, beatMs: 60_000, recheckMs },
  });
  const person = new BrowserOfPerson("sub-ana", (url, init) =>
    url.startsWith(`http://${HOST}/`)
      ? Promise.resolve(api.api.fetch(new Request(url, init)))
      : fetch(url, init),
  );
  await person.open(`http://${HOST}/v1/oidc/login`);
  const token = person.cookie(HOST, "model_deployer_session") ?? "";
  const asked = found.tokenRequests();
  return {
    ...api,
    found,
    token,
    turn: (minutes: number) => api.deployer.clock.turn({ minutes }),
    session: () => api.ask("/v1/session", { token }),
    /** What the provider was asked since the sign-in. */
    checks: () => found.tokenRequests() - asked,
  };
}

const groupsOfAna = (groups: string[]) => ({ name: "ana.lopez", groups });

test("who changes the group at the provider has its roles here within the minutes that are set", async () => {
  const { found, session, turn, checks } = await given();
  found.people["sub-ana"] = groupsOfAna(["reviewers"]);
  turn(14);
  expect(await (await session()).json()).toMatchObject({ grants: [{ role: "operator" }] });
  expect(checks()).toBe(0);
  turn(2);
  const grants = [{ role: "approver", experiment_id: "remission" }];
  expect(await (await session()).json()).toMatchObject({ principal: "ana.lopez", grants });
  found.people["sub-ana"] = groupsOfAna(["reviewers", "ml-ops"]);
  turn(16);
  expect(await (await session()).json()).toMatchObject({ grants: [{}, {}] });
  expect(checks()).toBe(2);
});

test("who has left all groups is out, and so is whose account the provider has closed", async () => {
  const left = await given();
  left.found.people["sub-ana"] = groupsOfAna([]);
  left.turn(16);
  const problem = await left.problem("/v1/endpoints", { token: left.token });
  expect(problem).toMatchObject({ status: 403, code: "not_permitted" });
  expect((await left.session()).status).toBe(401);

  const closed = await given();
  closed.found.closed.add("sub-ana");
  closed.turn(16);
  const ended = await closed.problem("/v1/endpoints", { token: closed.token });
  expect(ended).toMatchObject({ status: 401, code: "not_authenticated", retryable: false });
  expect(ended.detail).toContain("sign in again");
  closed.found.closed.clear();
  expect((await closed.session()).status).toBe(401);
});

test("a provider that is away ends nobody's work; it is told, and asked again after the next minutes", async () => {
  const { found, session, turn, unexpected } = await given();
  await found.stop();
  turn(16);
  expect((await session()).status).toBe(200);
  expect((await session()).status).toBe(200);
  expect(unexpected).toMatchObject([{ code: "service_unavailable" }]);
  turn(16);
  expect((await session()).status).toBe(200);
  expect(unexpected.length).toBe(2);
});

test.each([
  ["gives no token for it", { scope: "openid profile" }],
  ["is not to be asked", { checkMinutes: 0 }],
])(
  "a provider that %s is asked at the sign-in alone, and the session ends in its time",
  async (_, options) => {
    const { found, session, turn, checks } = await given(options);
    found.people["sub-ana"] = groupsOfAna([]);
    turn(11 * 60);
    expect((await session()).status).toBe(200);
    expect(checks()).toBe(0);
    turn(61);
    expect((await session()).status).toBe(401);
  },
);

test("of many requests at the same time one asks the provider, and all are answered", async () => {
  const { session, turn, checks } = await given();
  turn(16);
  const answers = await Promise.all(Array.from({ length: 20 }, session));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(checks()).toBe(1);
});

test("what the provider is asked by lies sealed, and is gone with the session", async () => {
  const { ask, token, turn, deployer } = await given();
  turn(1);
  const kept = () => deployer.database.signIns.dueCheck(token, 1);
  expect((await kept())?.renewal).toMatch(/^sealed:1:/);
  turn(1);
  await ask("/v1/session", { method: "DELETE", token });
  expect(await kept()).toBeNull();
});

test("a stream of events ends with the groups of its reader", async () => {
  const { ask, api, token, found, turn } = await given({ recheckMs: 10 });
  const stream = await ask("/v1/events", { token });
  expect(api.streams()).toBe(1);
  found.people["sub-ana"] = groupsOfAna([]);
  turn(16);
  await pollUntil(() => api.streams() === 0, { deadlineMs: 300_000, what: "the end of the stream" });
  await stream.body?.cancel();
});

test("another person's token is no renewal of one's own session", async () => {
  const { found, ask, problem, turn } = await given();
  const token = await found.signed({ preferred_username: "ana.lopez", groups: ["ml-ops"] });
  const body = { token, refresh_token: "env:HOME" };
  const opened = openedSessionSchema.parse(await (await ask("/v1/sessions", { token: null, body })).json());
  turn(16);
  expect(await problem("/v1/session", { token: opened.token })).toMatchObject({ status: 401 });
});
