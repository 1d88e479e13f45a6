import { expect, test } from "vitest";
import { Sender } from "../../../src/notifications/notification_sender.ts";
import { auditReportSchema } from "../../../src/service/audit/audit_schemas.ts";
import {
  retriedSinkSchema,
  sinkReportSchema,
  sinksReportSchema,
  sinkTrialSchema,
} from "../../../src/service/notifications/sink_schemas.ts";
import { givenApi } from "../../support/given/given_api.ts";
import { givenSecrets } from "../../support/given/given_secrets.ts";
import { givenReceiver } from "../../support/services/notice_receivers.ts";

const EVA = "eva-has-a-long-secret";
const asEva = { token: EVA };
const PATH = "/v1/notifications/pager";

async function given() {
  const mail = { smtpUrl: null, password: async () => null, from: "deployer@example.org" };
  const notificationSender = new Sender({ consoleUrl: async () => null, mail, secrets: givenSecrets() });
  const api = await givenApi({ parts: { notificationSender } });
  await api.deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  const put = (body: unknown) => ({ ...asEva, method: "PUT", body });
  return { ...api, put };
}

test("a sink is set, tried and removed through the API; its address and secret are shown to nobody and kept in no clear text", async () => {
  const { deployer, ask, get, put } = await given();
  const receiver = await givenReceiver();
  const address = `${receiver.url}/secret-path`;
  const to = { kind: "webhook", address };
  const first = await get(sinkReportSchema, PATH, put({ to, may_be_inside: true }));
  const secret = first.secret ?? "";
  expect(secret).toMatch(/^whsec_/);
  const trial = await get(sinkTrialSchema, `${PATH}/trials`, { ...asEva, method: "POST" });
  expect(receiver.events(secret).map(({ id }) => id)).toEqual([trial.event_id]);
  const again = await get(sinkReportSchema, PATH, put({ kinds: ["rolled_back"] }));
  expect(again).toMatchObject({ secret: null, sink: { kinds: ["rolled_back"], set_by: "eva" } });
  await get(sinkTrialSchema, `${PATH}/trials`, { ...asEva, method: "POST" });
  expect(receiver.events(secret)).toHaveLength(2);
  expect(await get(retriedSinkSchema, `${PATH}/retries`, { ...asEva, method: "POST" })).toEqual({
    sink_name: "pager",
    notices: 0,
  });
  const shown = JSON.stringify([
    await get(sinksReportSchema, "/v1/notifications", asEva),
    await deployer.database.sinks.sendable("pager"),
  ]);
  expect(shown).not.toMatch(/secret-path|whsec_/);
  expect((await ask(PATH, { ...asEva, method: "DELETE" })).status).toBe(200);
  expect((await ask(`${PATH}/trials`, { ...asEva, method: "POST" })).status).toBe(404);
  const { links } = await get(auditReportSchema, "/v1/audit?subject=pager", asEva);
  const told = links.map(({ entry }) => `${entry.who} ${entry.action} ${entry.outcome}`);
  expect(told.toSorted()).toEqual(["eva sink insert", "eva sink update", "eva sink update"]);
  expect(JSON.stringify(links)).not.toMatch(/secret-path|whsec_|sealed:/);
});

test.each([
  [{}, "Say where it goes"],
  [{ to: { kind: "slack", address: "ftp://example.org" } }, "begins with https"],
  [{ to: { kind: "slack", address: "http://example.org/x" } }, "without TLS"],
  [{ to: { kind: "slack", address: "https://user:pw@example.org/" } }, "leave them out"],
  [{ to: { kind: "slack", address: "file:/etc/passwd" } }, "begins with https"],
  [{ to: { kind: "slack", address: "env:NOT_THERE" } }, "not set where the deployer runs"],
  [{ to: { kind: "webhook", address: "https://example.org" }, secret: "short" }, "whsec_"],
  [{ to: { kind: "email", to: ["nobody"] } }, "to"],
  [{ to: { kind: "email", to: ["a@example.org"] }, secret: `whsec_${"a".repeat(40)}` }, "is none"],
  [{ to: { kind: "slack", address: "https://example.org" }, experiment_ids: ["nowhere"] }, "nowhere"],
  [{ to: { kind: "slack", address: "https://example.org" }, plain: true }, "plain"],
])("%j is refused, with what is wrong and nothing that is secret", async (body, says) => {
  const { problem, put, deployer } = await given();
  const refused = await problem(PATH, put(body));
  expect([400, 404]).toContain(refused.status);
  expect(refused.detail).toContain(says);
  expect(refused.detail).not.toMatch(/root:|user:pw/);
  expect(await deployer.database.sinks.list()).toEqual([]);
});
