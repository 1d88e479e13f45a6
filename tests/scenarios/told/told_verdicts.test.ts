import { expect, test } from "vitest";
import { ServiceRefusedError } from "../../../src/agents/model_deployer/errors.ts";
import { Sender } from "../../../src/notifications/notification_sender.ts";
import {
  createTestDeployer,
  deploy,
  deployState,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { givenSecrets, newSinkAt, SIGNING_SECRET as SECRET } from "../../support/given/given_secrets.ts";
import { givenReceiver, type NoticeReceiver } from "../../support/services/notice_receivers.ts";

const CONSOLE = "https://models.example.org/";
const LINK = `${CONSOLE}#/endpoints/${ENDPOINT}`;
const STEPS = [10, 50, 100].map((weight) => ({ weight, bake_seconds: weight === 100 ? 0 : 60 }));
const LATENCY = { p50_ms: 20 };

interface Told {
  deployer: TestDeployer;
  receiver: NoticeReceiver;
}

/** Version 2 has 10 %, and a team is told of everything. */
async function givenTold(): Promise<Told & { candidate: string }> {
  const receiver = await givenReceiver();
  const notificationSender = new Sender({
    consoleUrl: async () => CONSOLE,
    mail: { smtpUrl: null, password: async () => null, from: "deployer@example.org" },
    secrets: givenSecrets(),
  });
  const deployer = await createTestDeployer({ parts: { notificationSender } });
  await deployer.database.sinks.set(await newSinkAt("team", receiver.url, {}), { who: "ana", origin: null });
  await inProduction(deployer, "run1");
  const version = await readyForProduction(deployer, "run2");
  await promoteWithApproval(deployer, version);
  const { deployment_id } = await deploy(deployer, version, "production", { rollout: { steps: STEPS } });
  return { deployer, receiver, candidate: deployment_id };
}

const ofKind = ({ receiver }: Told, kind: string) =>
  receiver.events(SECRET).filter(({ data }) => data.kind === kind);

async function look({ deployer }: Told, failing: Record<string, number> = {}): Promise<void> {
  deployer.passTime({ seconds: 10 });
  const behaviours = Object.fromEntries(
    Object.entries(failing).map(([id, error_rate]) => [id, { ...LATENCY, error_rate }]),
  );
  deployer.router.sendTraffic(ENDPOINT, 400, behaviours);
  await deployer.worker.tick();
}

/** Looks until a notice of that kind has come. */
async function until(told: Told, kind: string, failing: Record<string, number> = {}): Promise<void> {
  for (let looks = 0; looks < 200 && ofKind(told, kind).length === 0; looks += 1) await look(told, failing);
  expect(ofKind(told, kind), kind).not.toEqual([]);
}

async function deliver({ deployer }: Told): Promise<void> {
  for (let round = 0; round < 16; round += 1) await deployer.worker.tick();
}

test("a verdict, the comparison that a suspicion leads to and what comes of it are told, each once, with figures and a link", async () => {
  const told = await givenTold();
  const { candidate } = told;
  await until(told, "verdict");
  await until(told, "challenge", { [candidate]: 0.12 });
  await until(told, "rolled_back", { [candidate]: 0.12 });
  await deliver(told);
  for (const kind of ["verdict", "challenge", "rolled_back"]) {
    const [first] = ofKind(told, kind);
    expect(first?.data, kind).toMatchObject({ endpoint_name: ENDPOINT, link: LINK });
    expect(first?.data.reason, kind).not.toBe("");
    expect(first?.data.numbers["candidate_requests"], kind).toBeGreaterThan(0);
  }
  expect(ofKind(told, "verdict")).toHaveLength(1);
  expect(ofKind(told, "rolled_back")).toHaveLength(1);
});

test("a person who pauses a rollout and lets it go on is told of by name and words, each once", async () => {
  const told = await givenTold();
  const { deployer } = told;
  for (const deployment_action of ["pause", "resume"] as const) {
    await deployer.agent.execute({ deployment_action, endpoint_name: ENDPOINT, rollout_reason: "a look" });
  }
  await deliver(told);
  expect(ofKind(told, "controlled").map(({ data }) => data)).toMatchObject([
    { reason: "a look", link: LINK, severity: "info" },
    { reason: "a look", link: LINK, severity: "info" },
  ]);
});

test("an action that failed for good is told of once, with why, and so is what enters production, each with a link", async () => {
  const told = await givenTold();
  const { deployer } = told;
  const version = await register(deployer, "run3");
  await promote(deployer, version, "staging");
  deployer.wire.failStep("start_server", { times: 20, error: new ServiceRefusedError("a test", "no") });
  await errorOf(deployer.agent.execute(deployState({ model_version_id: version, target_stage: "staging" })));
  await deliver(told);
  const [failed, ...others] = ofKind(told, "operation_failed");
  expect(others).toEqual([]);
  expect(failed?.data).toMatchObject({ severity: "warning", link: `${LINK}_staging` });
  expect(failed?.data.reason).not.toBe("");
  expect(ofKind(told, "promoted").map(({ data }) => data.link)).toEqual([LINK, LINK]);
});

test("whoever is told of one experiment is told of what people do to its rollouts, in the endpoint's order", async () => {
  const told = await givenTold();
  const { deployer, receiver } = told;
  const { sinks } = deployer.database;
  const own = await givenReceiver();
  const by = { who: "ana", origin: null };
  await sinks.set(
    await newSinkAt("own", own.url, { experiment_ids: [EXPERIMENT], kinds: ["controlled"] }),
    by,
  );
  receiver.refuses = (body) => body.includes("let it wait");
  const control = (deployment_action: "pause" | "resume", rollout_reason: string) =>
    deployer.agent.execute({ deployment_action, endpoint_name: ENDPOINT, rollout_reason });
  await control("pause", "let it wait");
  await control("resume", "go on");
  await deliver(told);
  expect(own.events(SECRET).map(({ data, subject }) => [subject, data.reason])).toEqual([
    [ENDPOINT, "let it wait"],
    [ENDPOINT, "go on"],
  ]);
  expect(ofKind(told, "controlled")).toEqual([]);
});
