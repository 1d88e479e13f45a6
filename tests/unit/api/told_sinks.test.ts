import { expect, test } from "vitest";
import { statusReportSchema } from "../../../src/service/report_schemas.ts";
import { createTestDeployer } from "../../../src/testing/index.ts";
import { lateNotices } from "../../../src/service/status/status_problems.ts";
import { givenApi } from "../../support/given/given_api.ts";

const ANA = { who: "ana", origin: null };
const NOTICE = {
  ...{ event_id: "disk:1", kind: "disk" as const, severity: "act" as const, title: "/ is nearly full." },
  ...{ reason: "", by: "a worker", experiment_id: null, endpoint_name: null, numbers: {} },
  ...{ operation_id: null, rollout_id: null, command: null },
};
const SINK = {
  ...{ sink_name: "team", target: { kind: "slack" as const, host: "hooks.example.org" }, kinds: [] },
  ...{ secrets: { address: "env:SLACK" }, experiment_ids: [], may_be_inside: false },
};

test("status says of a sink that takes nothing what waits for it, and blames neither registry nor memories", async () => {
  const { deployer, get } = await givenApi();
  const { sinks, notifications } = deployer.database;
  await sinks.set(SINK, ANA);
  await notifications.tell(NOTICE);
  const [due] = await notifications.claim(1, { except_sinks: [] });
  if (due === undefined) expect.fail("the notice is due");
  await notifications.failed(due, { reason: "it is away", is_away: true, refusals_allowed: 8 });
  deployer.passTime({ minutes: 5 });
  const { degraded } = await get(statusReportSchema, "/v1/status");
  expect(degraded).toEqual([expect.stringMatching(/^1 notice to team waits since 20.*: it is away$/)]);
});

test("what a sink has refused for good is told with the command that sends it anew", async () => {
  const { database } = await createTestDeployer();
  await database.sinks.set(SINK, ANA);
  await database.notifications.tell(NOTICE);
  const [due] = await database.notifications.claim(1, { except_sinks: [] });
  if (due === undefined) expect.fail("the notice is due");
  await database.notifications.failed(due, { reason: "400", is_away: false, refusals_allowed: 1 });
  expect(lateNotices(await database.sinks.list())).toEqual([
    "1 notice to team was refused; `model-deployer notifications retry team` sends anew",
  ]);
});
