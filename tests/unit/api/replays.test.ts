import { expect, test } from "vitest";
import { disagreementsSchema, replaySchema } from "../../../src/service/rows/row_schemas.ts";
import { deploy, ENDPOINT, promote, register } from "../../../src/testing/index.ts";
import { ANAS_TOKEN, type Asked, givenApi } from "../../support/given/given_api.ts";
import { givenRows } from "../../support/given/given_rows.ts";

const OF_RELAPSE = "eva-has-a-long-secret";
const VIEWER = "kim-has-a-long-secret";
const OTHERS = "e2i_relapse_staging";

/** Rows of `remission`, a version of `relapse` at staging, an operator of `relapse` alone, and a viewer of all. */
async function given(rows = 30) {
  const api = await givenApi();
  const { deployer } = api;
  const { principals, experiments } = deployer.database;
  const served = await givenRows(deployer, rows);
  await experiments.create(
    {
      ...{ experiment_id: "relapse", experiment_name: "Relapse", prediction_target: "relapse" },
      ...{ minimum_auc: null, minimum_precision_at_k: null, maximum_fpr: null },
    },
    "ana",
  );
  const other = await register(deployer, "run3", { experiment_id: "relapse" });
  await promote(deployer, other, "staging");
  await deploy(deployer, other, "staging");
  await principals.enrol("eva", OF_RELAPSE, { roles: ["operator"], experiment_id: "relapse" });
  await principals.enrol("kim", VIEWER, { roles: ["viewer"] });
  return { ...api, ...served, other };
}

const replay = (model_version_id: string, from: unknown, token = ANAS_TOKEN): Asked => ({
  body: { model_version_id, from },
  token,
});
const kept = { endpoint_name: ENDPOINT };
const row = { request_id: "a", path: "/predict", input: { age: 1 } };
const own = { rows: [row] };

test("kept rows and rows of one's own are sent to the server without traffic, and answered in their order", async () => {
  const { deployer, get, version, shadow, old } = await given();
  deployer.server.answerRows((id, { input }) => ({
    status: id === shadow && JSON.stringify(input) === '{"age":7}' ? 500 : 200,
    body: id,
  }));
  const all = await get(replaySchema, "/v1/replays", replay(version, kept));
  expect(all).toMatchObject({ deployment_id: shadow, from: ENDPOINT, chosen: 30, sent: 30, failed: 1 });
  expect(all.why_partial).toBeNull();
  const listed = await deployer.database.keptRows.list(ENDPOINT, { limit: 30 });
  expect(all.rows.map(({ request_id, input }) => ({ request_id, input }))).toEqual(
    listed.map(({ request_id, input }) => ({ request_id, input })),
  );
  expect(all.rows.filter(({ baseline }) => baseline !== null)).toEqual([
    expect.objectContaining({ input: { age: 7 }, baseline: { status: 200, body: old } }),
  ]);
  const body = { model_version_id: version, from: kept, limit: 4 };
  const few = await get(replaySchema, "/v1/replays", { body });
  expect(few).toMatchObject({ chosen: 4, sent: 4, rows: all.rows.slice(0, 4) });
  const mine = await get(replaySchema, "/v1/replays", replay(version, own));
  expect(mine).toMatchObject({ from: null, chosen: 1, sent: 1, rows: [{ request_id: "a", baseline: null }] });
});

test("the answers that differ are listed, to whoever may look", async () => {
  const { get } = await given();
  const path = `/v1/endpoints/${ENDPOINT}/disagreements`;
  const all = await get(disagreementsSchema, path, { token: VIEWER });
  expect(all).toMatchObject({ kept: 30, compared: 30, why_none: null });
  expect(all.disagreements.map(({ request_id }) => request_id).toSorted()).toEqual(["r0", "r10", "r20"]);
  const one = await get(disagreementsSchema, `${path}?limit=1`, { token: VIEWER });
  expect(one.disagreements).toEqual(all.disagreements.slice(0, 1));
});

test("a role of another experiment reads no rows, and sends none to a version or of an endpoint that is not its own", async () => {
  const { deployer, ask, problem, version, other } = await given();
  let sent = 0;
  deployer.server.answerRows(() => ({ status: 200, body: `${(sent += 1)}` }));
  const asEva = { token: OF_RELAPSE };
  expect((await ask(`/v1/endpoints/${ENDPOINT}/disagreements`, asEva)).status).toBe(403);
  expect((await ask(`/v1/endpoints/${OTHERS}/disagreements`, asEva)).status).toBe(200);
  for (const [whose, from] of [
    [version, own],
    [version, kept],
    [version, { endpoint_name: OTHERS }],
    [other, kept],
    [other, { endpoint_name: "nowhere" }],
    ["mv_none", own],
    ["mv_none", { endpoint_name: "nowhere" }],
  ] as const) {
    const refused = await problem("/v1/replays", replay(whose, from, OF_RELAPSE));
    expect(refused, `${whose} ${JSON.stringify(from)}`).toMatchObject({ status: 403, code: "not_permitted" });
  }
  expect((await ask("/v1/replays", replay(version, own, VIEWER))).status).toBe(403);
  expect(sent).toBe(0);
  expect((await ask("/v1/replays", replay(other, own, OF_RELAPSE))).status).toBe(200);
  expect(sent).toBe(1);
});

test("rows of another experiment are refused to whoever may see both, with the endpoints that there are", async () => {
  const { problem, other } = await given();
  const refused = await problem("/v1/replays", replay(other, kept));
  expect(refused).toMatchObject({ status: 400, code: "invalid_request", retryable: false });
  expect(refused.detail).toContain("kept rows go to versions of their own experiment alone");
  const commands = refused.next.map(({ command }) => command);
  expect(commands).toEqual([`model-deployer replay ${other} --from ${OTHERS}`]);
});

test("what cannot be sent is refused by its reason, with the ways out that there are", async () => {
  const { deployer, problem, serving, version, other } = await given();
  const none = await problem("/v1/replays", replay(other, { endpoint_name: OTHERS }));
  expect(none).toMatchObject({ code: "not_found", retryable: false });
  expect(none.next[0]?.command).toBe('model-deployer policy set relapse --rows 0.01 --reason "..."');
  const busy = await problem("/v1/replays", replay(serving, own));
  expect(busy).toMatchObject({ code: "not_found", next: [] });
  expect(busy.detail).toContain("it is at production");
  const unserved = await problem("/v1/replays", replay(await register(deployer, "run4"), own));
  expect(unserved.next[0]).toMatchObject({ action: "promote", request: { target_stage: "staging" } });
  for (const [whose, from] of [
    ["mv_none", own],
    [version, { endpoint_name: "nowhere" }],
  ] as const) {
    expect(await problem("/v1/replays", replay(whose, from))).toMatchObject({ status: 404 });
  }
  for (const wrong of [
    { limit: 0 },
    { limit: 10_001 },
    { from: { rows: [] } },
    { from: { rows: [{ ...row, path: "/predict me" }] } },
    { from: { ...kept, ...own } },
  ]) {
    const body = { model_version_id: version, from: kept, ...wrong };
    expect(await problem("/v1/replays", { body }), JSON.stringify(wrong)).toMatchObject({ status: 400 });
  }
});

test("a caller who goes away ends the sending, which is no error of ours", async () => {
  const { deployer, ask, version, unexpected } = await given(400);
  const gone = new AbortController();
  let sent = 0;
  deployer.server.answerRows(() => {
    sent += 1;
    if (sent === 20) gone.abort();
    return { status: 200, body: "{}" };
  });
  const body = { model_version_id: version, from: kept, limit: 400 };
  const answer = await ask("/v1/replays", { body, signal: gone.signal });
  expect(answer.status).toBe(503);
  expect(sent).toBeGreaterThanOrEqual(20);
  expect(sent).toBeLessThan(30);
  expect(unexpected).toEqual([]);
});

test("two replays run at once, and one more is refused until one of them has ended", async () => {
  const { deployer, ask, problem, version } = await given();
  const held: { release: () => void; answer: Promise<Response> }[] = [];
  for (let number = 0; number < 2; number += 1) {
    const { reached, release } = deployer.wire.hold("rowServers.predictRow");
    held.push({ release, answer: ask("/v1/replays", replay(version, own)) });
    await reached;
  }
  const refused = await problem("/v1/replays", replay(version, own));
  expect(refused).toMatchObject({ status: 503, code: "too_many_replays", retryable: true });
  for (const { release, answer } of held) {
    release();
    expect((await answer).status).toBe(200);
    expect((await ask("/v1/replays", replay(version, own))).status).toBe(200);
  }
});
