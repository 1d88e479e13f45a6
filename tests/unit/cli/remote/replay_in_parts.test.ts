import { expect, test } from "vitest";
import { Deadline } from "../../../../src/agents/base/deadline.ts";
import { ConflictError } from "../../../../src/agents/model_deployer/errors.ts";
import type { RemoteApi } from "../../../../src/cli/remote/remote_api.ts";
import { replayInParts } from "../../../../src/cli/remote/remote_rows.ts";
import { type Replay, replayRequestSchema, type SentRow } from "../../../../src/service/rows/row_schemas.ts";
import { errorOf } from "../../../../src/testing/index.ts";

const rows = Array.from({ length: 50 }, (_, index): SentRow => ({
  ...{ request_id: `r${index}`, path: "/predict", input: index },
}));
const answer = { status: 200, body: "{}" };

/** An API that has time for so many rows of each request, the first of which is answered with an error. */
function given(most: number, deployment: (asked: number) => string = () => "d1") {
  const ending = new AbortController();
  const deadline = new Deadline(600_000, { of: "a replay", until: ending.signal });
  const asked: number[] = [];
  const answerOf = (body: unknown): Replay => {
    const { model_version_id, from, limit } = replayRequestSchema.parse(body);
    const given = "rows" in from ? from.rows : expect.fail("rows are sent");
    asked.push(given.length);
    expect(limit).toBe(given.length);
    const sent = given.slice(0, most);
    return {
      ...{ model_version_id, deployment_id: deployment(asked.length), from: null, chosen: given.length },
      ...{ sent: sent.length, failed: 1 },
      why_partial: sent.length < given.length ? "the 20 s were over" : null,
      rows: sent.map(({ request_id, input }) => ({ request_id, input, candidate: answer, baseline: null })),
    };
  };
  const api: Pick<RemoteApi, "ask"> = {
    ask: async (schema, _path, request) => schema.parse(answerOf(request?.body)),
  };
  const sending = { model_version_id: "mv_1", rows };
  return { asked, ending, replay: () => replayInParts(api, sending, deadline) };
}

test("rows that there was no time for are sent by the next request, until all are answered", async () => {
  const { asked, replay } = given(20);
  const told = await replay();
  expect(asked).toEqual([50, 30, 10]);
  expect(told).toMatchObject({ chosen: 50, sent: 50, failed: 3, why_partial: null });
  expect(told.rows.map(({ request_id }) => request_id)).toEqual(rows.map(({ request_id }) => request_id));
});

test("where no row is answered any more, or the time of all is over, it is said that it is a part", async () => {
  const { asked, replay } = given(0);
  expect(await replay()).toMatchObject({ chosen: 50, sent: 0, why_partial: "the 20 s were over" });
  expect(asked).toEqual([50]);
  const late = given(20, (number) => {
    if (number === 2) late.ending.abort();
    return "d1";
  });
  expect(await late.replay()).toMatchObject({ chosen: 50, sent: 40, why_partial: "its caller ended it" });
});

test("answers of two deployments are never told as one's", async () => {
  const { replay } = given(20, (number) => `d${number}`);
  const error = await errorOf(replay());
  expect(error).toBeInstanceOf(ConflictError);
  expect(error.message).toContain("d1 gave way to d2 after 20 rows");
});
