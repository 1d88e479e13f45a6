import { expect, test } from "vitest";
import type { NoticeKind } from "../../../src/agents/model_deployer/domain/notices/notices.ts";
import { Sender } from "../../../src/notifications/notification_sender.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  EXPERIMENT,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { givenSecrets, newSinkAt, SIGNING_SECRET as SECRET } from "../../support/given/given_secrets.ts";
import { givenReceiver, type NoticeReceiver } from "../../support/services/notice_receivers.ts";

const ANA = { who: "ana", origin: null };
const STEPS = [10, 50, 100].map((weight) => ({ weight, bake_seconds: weight === 100 ? 0 : 60 }));

async function givenDeployer(): Promise<TestDeployer> {
  const mail = { smtpUrl: null, password: async () => null, from: "deployer@example.org" };
  const notificationSender = new Sender({
    consoleUrl: async () => "https://models.example.org/",
    mail,
    secrets: givenSecrets(),
  });
  return createTestDeployer({ parts: { notificationSender } });
}

async function tell(
  { database }: TestDeployer,
  name: string,
  receiver: NoticeReceiver,
  rule: { kinds?: NoticeKind[]; experiment_ids?: string[] } = {},
): Promise<void> {
  await database.sinks.set(await newSinkAt(name, receiver.url, rule), ANA);
}

/** What came about the endpoint, in the order in which it came. */
const kinds = (receiver: NoticeReceiver) => receiver.events(SECRET).map(({ data }) => data.kind);

/** Rounds until nothing is on its way to a sink that answers. */
async function deliver(given: TestDeployer, rounds = 12): Promise<void> {
  for (let round = 0; round < rounds; round += 1) await given.worker.tick();
}

/** Version 2 has 10 %, and callers ask. */
async function givenRollout(given: TestDeployer): Promise<{ candidate: string; version: string }> {
  await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id } = await deploy(given, version, "production", { rollout: { steps: STEPS } });
  return { candidate: deployment_id, version };
}

async function look(
  given: TestDeployer,
  behaviours: Record<string, { error_rate?: number }> = {},
): Promise<void> {
  for (let second = 0; second < 120; second += 10) {
    given.passTime({ seconds: 10 });
    given.router.sendTraffic(ENDPOINT, 400, behaviours);
    await given.worker.tick();
  }
}

test("a team is told of a rollout from the approval that it waits for to its rollback, in order, with the numbers and a link", async () => {
  const given = await givenDeployer();
  const receiver = await givenReceiver();
  await tell(given, "team", receiver);
  const { candidate } = await givenRollout(given);
  await look(given);
  await look(given, { [candidate]: { error_rate: 0.5 } });
  await deliver(given);
  const seen = kinds(receiver).filter((kind) => kind !== "degraded");
  const told = seen.slice(seen.lastIndexOf("approval_waits"));
  expect(told.slice(0, 4)).toEqual(["approval_waits", "promoted", "rollout_started", "step_taken"]);
  expect(told.at(-1)).toBe("rolled_back");
  const last = receiver.events(SECRET).findLast(({ data }) => data.kind === "rolled_back");
  expect(last).toMatchObject({
    subject: ENDPOINT,
    data: { experiment_id: EXPERIMENT, link: `https://models.example.org/#/endpoints/${ENDPOINT}` },
  });
  expect(last?.data.numbers["candidate_errors"]).toBeGreaterThan(0);
  const ids = receiver.events(SECRET).map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a sink that is down delays no other and loses nothing; the others are told of it", async () => {
  const given = await givenDeployer();
  const [down, up] = [await givenReceiver(), await givenReceiver()];
  await tell(given, "down", down);
  await tell(given, "up", up);
  await down.stop();
  await givenRollout(given);
  for (let minute = 0; minute < 6; minute += 1) {
    given.passTime({ minutes: 1 });
    await deliver(given, 3);
  }
  expect(kinds(up)).toContain("rollout_started");
  const outages = up.events(SECRET).filter(({ data }) => data.kind === "sink_down");
  expect(outages).toHaveLength(1);
  expect(outages[0]?.data.title).toContain("down does not take");
  expect(down.received).toEqual([]);
  const [failing] = await given.database.sinks.list();
  expect(failing?.sink_name).toBe("down");
  expect(failing?.last_error).toContain("ECONNREFUSED");
  await down.start();
  given.passTime({ minutes: 10 });
  await deliver(given, 20);
  const about = (receiver: NoticeReceiver) =>
    receiver.events(SECRET).flatMap(({ id, subject }) => (subject === ENDPOINT ? [id] : []));
  expect(about(down)).toEqual(about(up));
  expect((await given.database.sinks.list()).map(({ failures, waiting }) => [failures, waiting])).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

test("a notice that a sink refuses holds up those that follow it, and nothing of other endpoints", async () => {
  const given = await givenDeployer();
  const receiver = await givenReceiver();
  await tell(given, "team", receiver);
  receiver.answers = 400;
  const version = await readyForProduction(given, "run1");
  await promote(given, version, "production");
  await deliver(given, 3);
  receiver.answers = 204;
  await given.database.notifications.tell({
    ...{
      event_id: "disk:1",
      kind: "disk",
      severity: "act",
      title: "/ is nearly full.",
      reason: "",
      by: "a worker",
    },
    ...{ experiment_id: null, endpoint_name: null, numbers: {}, operation_id: null, rollout_id: null },
    command: null,
  });
  await given.worker.tick();
  expect(kinds(receiver)[0]).toBe("disk");
  given.passTime({ minutes: 10 });
  await deliver(given);
  expect(kinds(receiver)).toContain("approval_waits");
});

test("a notice that a sink refuses for good is set aside: what follows it is sent, the others are told, and it can be sent anew", async () => {
  const given = await givenDeployer();
  const [refusing, other] = [await givenReceiver(), await givenReceiver()];
  await tell(given, "refusing", refusing, { kinds: ["approval_waits", "promoted"] });
  await tell(given, "other", other, { kinds: ["sink_down"] });
  refusing.refuses = (body) => body.includes("approval_waits");
  const version = await readyForProduction(given, "run1");
  await promoteWithApproval(given, version);
  for (let minute = 0; minute < 12; minute += 1) {
    await deliver(given, 2);
    given.passTime({ minutes: 1 });
  }
  expect(kinds(refusing)).toEqual(["promoted"]);
  const told = other.events(SECRET).map(({ data }) => data.title);
  expect(told.filter((title) => title.includes("set aside"))).toHaveLength(1);
  const [, shown] = await given.database.sinks.list();
  expect(shown).toMatchObject({ sink_name: "refusing", set_aside: 1, waiting: 0 });
  refusing.refuses = () => false;
  expect(await given.database.sinks.retry("refusing")).toBe(1);
  await deliver(given, 3);
  expect(kinds(refusing)).toEqual(["promoted", "approval_waits"]);
});

test("a sink whose secret is not where it was keeps all its notices, and sets none aside", async () => {
  const given = await givenDeployer();
  const receiver = await givenReceiver();
  const sink = await newSinkAt("team", receiver.url, { kinds: ["approval_waits"] });
  await given.database.sinks.set({ ...sink, secrets: { ...sink.secrets, address: "env:GONE" } }, ANA);
  const version = await readyForProduction(given, "run1");
  await promote(given, version, "production");
  for (let minute = 0; minute < 60; minute += 5) {
    await deliver(given, 2);
    given.passTime({ minutes: 5 });
  }
  const [shown] = await given.database.sinks.list();
  expect(shown).toMatchObject({ set_aside: 0, waiting: 1 });
  expect(shown?.last_error).toContain("env:GONE");
});

test("each team hears of what its rule asks for, and a sink that was removed of nothing more", async () => {
  const given = await givenDeployer();
  const [approvers, others, gone] = [await givenReceiver(), await givenReceiver(), await givenReceiver()];
  await tell(given, "approvers", approvers, { kinds: ["approval_waits"] });
  await tell(given, "others", others, { experiment_ids: ["another_experiment"] });
  await tell(given, "gone", gone);
  const version = await readyForProduction(given, "run1");
  await given.database.sinks.remove("gone", ANA);
  await promote(given, version, "production");
  await deliver(given);
  expect(kinds(approvers)).toEqual(["approval_waits"]);
  expect(approvers.events(SECRET)[0]?.data.command).toMatch(/^model-deployer approve op_/);
  expect(approvers.events(SECRET)[0]?.data.reason).toContain("asked for");
  expect([...others.received, ...gone.received]).toEqual([]);
});

test("an approval that nobody gives is told of once more before it expires", async () => {
  const given = await givenDeployer();
  const receiver = await givenReceiver();
  await tell(given, "team", receiver, { kinds: ["approval_expires"] });
  const version = await readyForProduction(given, "run1");
  await promote(given, version, "production");
  given.passTime({ days: 12 });
  await deliver(given, 2);
  expect(kinds(receiver)).toEqual([]);
  given.passTime({ hours: 36 });
  await deliver(given, 2);
  given.passTime({ seconds: 30 });
  await deliver(given, 2);
  expect(kinds(receiver)).toEqual(["approval_expires"]);
});

test("a rollout that cannot be judged for half an hour is told of once for the step", async () => {
  const given = await givenDeployer();
  const receiver = await givenReceiver();
  await tell(given, "team", receiver, { kinds: ["inconclusive"] });
  await givenRollout(given);
  for (let minute = 0; minute < 45; minute += 1) {
    given.passTime({ minutes: 1 });
    await given.worker.tick();
    if (minute === 25) expect(kinds(receiver)).toEqual([]);
  }
  const [told, ...others] = receiver.events(SECRET);
  expect(others).toEqual([]);
  expect(told?.data).toMatchObject({ kind: "inconclusive", endpoint_name: ENDPOINT });
  expect(told?.data.reason).toContain("No request");
});
