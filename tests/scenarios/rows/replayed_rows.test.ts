import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Deadline } from "../../../src/agents/base/deadline.ts";
import type { RowServers } from "../../../src/agents/model_deployer/ports/evidence/row_ports.ts";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { disagreementsReport } from "../../../src/service/rows/disagreements_report.ts";
import { replayReport } from "../../../src/service/rows/replay_report.ts";
import { createTestDeployer, ENDPOINT, errorOf } from "../../../src/testing/index.ts";
import { givenRows } from "../../support/given/given_rows.ts";

async function given(rows: number) {
  const deployer = await createTestDeployer();
  const served = await givenRows(deployer, rows);
  const { database, server, settings } = deployer;
  const parts = { database, server, engines: settings.engines };
  const ending = new AbortController();
  const deadline = new Deadline(600_000, { of: "a test", until: ending.signal });
  const options = { signal: new AbortController().signal, deadline };
  const request = { model_version_id: served.version, from: { endpoint_name: ENDPOINT }, limit: 10_000 };
  return { ...served, server, parts, ending, options, request };
}

test("when its time is over the first rows are answered for, and it is said that the others were not sent", async () => {
  const { server, parts, ending, options, request } = await given(100);
  let asked = 0;
  server.answerRows(() => {
    asked += 1;
    if (asked === 10) ending.abort();
    return { status: 200, body: "{}" };
  });
  const found = await replayReport({ ...parts, rowServers: server }, request, options);
  expect(found.chosen).toBe(100);
  expect(found.sent).toBe(asked);
  expect(found.sent).toBeLessThan(20);
  expect(found.why_partial).toBe("its caller ended it");
  const listed = await parts.database.keptRows.list(ENDPOINT, { limit: found.sent });
  expect(found.rows.map(({ request_id }) => request_id)).toEqual(listed.map(({ request_id }) => request_id));
});

test("a row that cannot be sent ends the sending with its error", async () => {
  const { server, parts, options, request } = await given(100);
  let asked = 0;
  const rowServers: RowServers = {
    takesRows: () => server.takesRows(),
    keepRows: (id, settings) => server.keepRows(id, settings),
    predictRow: async (id, row, asking) => {
      asked += 1;
      if (asked === 10) throw new ServiceUnavailableError("bentoml", "the server has ended");
      return server.predictRow(id, row, asking);
    },
  };
  const error = await errorOf(replayReport({ ...parts, rowServers }, request, options));
  expect(error.message).toBe("the server has ended");
  // Whatever was still to be asked of servers in memory has been asked by the next turn.
  await setImmediate();
  expect(asked).toBeLessThan(20);
});

test("what serves on an engine that takes no rows is not asked, and a version on one is refused", async () => {
  const { server, parts, options, request, old, shadow } = await given(5);
  const without = (id: string): RowServers => ({
    takesRows: async (asked) => asked !== id,
    keepRows: (asked, settings) => server.keepRows(asked, settings),
    predictRow: (asked, row, asking) =>
      asked === id ? expect.fail(`${id} takes none`) : server.predictRow(asked, row, asking),
  });
  server.answerRows(() => ({ status: 400, body: "no" }));
  const found = await replayReport({ ...parts, rowServers: without(old) }, request, options);
  expect(found).toMatchObject({ sent: 5, failed: 5 });
  expect(found.rows.map(({ baseline }) => baseline)).toEqual([null, null, null, null, null]);
  const refused = await errorOf(replayReport({ ...parts, rowServers: without(shadow) }, request, options));
  expect(refused).toMatchObject({ code: "invalid_request" });
  expect(refused.message).toContain(`No row can be sent to ${shadow}`);
});

test("where no engine keeps rows none is sent, and none is listed for that reason", async () => {
  const { parts, options, request } = await given(0);
  const found = await disagreementsReport(parts, ENDPOINT, { limit: 20 });
  expect(found.why_none).toContain("this engine's servers keep no rows");
  const refused = await errorOf(replayReport(parts, request, options));
  expect(refused).toMatchObject({ code: "invalid_request" });
  expect(refused.message).toContain("this engine's servers keep no rows");
});
