import { expect, test } from "vitest";
import type { NewNotice } from "../../../src/agents/model_deployer/domain/notices/notices.ts";
import { createTestDeployer } from "../../../src/testing/index.ts";
import { type CertificateWatch, NoticeRounds } from "../../../src/worker/notice_rounds.ts";
import { ProblemThrottle } from "../../../src/worker/problem_throttle.ts";

/** Rounds whose notices are kept by kind, beside a sender that takes everything. */
async function givenRounds(certificates: CertificateWatch = async () => []) {
  const sent: Pick<NewNotice, "kind" | "title">[] = [];
  const notificationSender = {
    send: async (_sink: unknown, { kind, title }: NewNotice) => void sent.push({ kind, title }),
  };
  const given = await createTestDeployer({ parts: { notificationSender } });
  const target = { kind: "slack" as const, host: "hooks.example.org" };
  const secrets = { address: "env:SLACK" };
  const all = { kinds: [], experiment_ids: [], may_be_inside: false };
  await given.database.sinks.set(
    { sink_name: "team", target, secrets, ...all },
    { who: "ana", origin: null },
  );
  const rounds = new NoticeRounds(given.capabilities, certificates, (problem) => expect.fail(problem));
  const round = async () => {
    await rounds.begin();
    await rounds.settled();
  };
  return { rounds, round, sent, given };
}

const nothing = { told: { problems: [], lasting: [], recovered: [] }, shortages: [], reconciliation: null };

test("a problem that lasts, a full disk and drift are told of, each once however often it is seen", async () => {
  const { rounds, round, sent, given } = await givenRounds();
  const finding = {
    ...{ part: "router" as const, subject: "e2i_remission", wanted: "generation 3", found: "generation 2" },
    ...{ outcome: "repaired" as const, why: null },
  };
  const checked = { endpoints: 1, servers: 1, versions: 1 };
  const seen = {
    told: { ...nothing.told, problems: ["once alone"], lasting: ["MLflow does not answer after 6 s"] },
    shortages: ["/home has 12 MB left"],
    reconciliation: { checked, findings: [finding], in_use: [], unchecked: [], retry_seconds: null },
  };
  for (const left of ["/home has 11 MB left", "/home has 10 MB left"]) {
    rounds.note({ ...seen, shortages: [left] });
    for (let times = 0; times < 4; times += 1) await round();
  }
  const byKind = sent.toSorted((one, other) => one.kind.localeCompare(other.kind));
  expect(byKind).toEqual([
    { kind: "degraded", title: "MLflow does not answer after 6 s" },
    { kind: "disk", title: "/home has 11 MB left" },
    { kind: "drift", title: "e2i_remission had generation 2 and is repaired." },
  ]);
  given.passTime({ hours: 1 });
  rounds.note(seen);
  for (let times = 0; times < 4; times += 1) await round();
  expect(
    sent
      .slice(3)
      .map(({ kind }) => kind)
      .sort(),
  ).toEqual(["degraded", "drift"]);
});

test("the drift of two endpoints whose names differ in a digit is told of twice", async () => {
  const { rounds, round, sent } = await givenRounds();
  const drifted = (subject: string) => ({
    ...{ part: "router" as const, subject, wanted: "generation 3", found: "generation 2" },
    ...{ outcome: "repaired" as const, why: null },
  });
  const checked = { endpoints: 2, servers: 2, versions: 2 };
  const findings = [drifted("e2i_scan1"), drifted("e2i_scan2")];
  rounds.note({
    ...nothing,
    reconciliation: { checked, findings, in_use: [], unchecked: [], retry_seconds: null },
  });
  for (let times = 0; times < 3; times += 1) await round();
  expect(sent.map(({ title }) => title.split(" ")[0]).sort()).toEqual(["e2i_scan1", "e2i_scan2"]);
});

test("a certificate that ends soon is told of", async () => {
  const sentence = "The certificate of mlflow.example.org:443 ends on 2026-06-05";
  const { rounds, round, sent } = await givenRounds(async () => [sentence]);
  await rounds.lookAtCertificates();
  for (let times = 0; times < 3; times += 1) await round();
  expect(sent.map(({ kind }) => kind)).toEqual(["certificate"]);
});

test("a server that shows no certificate and says nothing delays no notice", async () => {
  const silent: CertificateWatch = (signal) =>
    new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve([]), { once: true });
    });
  const { rounds, round, sent } = await givenRounds(silent);
  const looking = rounds.lookAtCertificates();
  let isOver = false;
  void looking.then(() => (isOver = true));
  rounds.note({ ...nothing, shortages: ["/home has 12 MB left"] });
  await round();
  expect(sent.map(({ kind }) => kind)).toEqual(["disk"]);
  expect(isOver).toBe(false);
  await looking;
});

test("a problem counts as lasting when it comes again after its first line, and once", () => {
  const told = new ProblemThrottle();
  const lasting = [0, 5_000, 11_000, 12_000, 80_000].map(
    (at) => told.tell(["MLflow is away"], at).lasting.length,
  );
  expect(lasting).toEqual([0, 0, 1, 0, 0]);
});
