import { inspect } from "node:util";
import { trace } from "@opentelemetry/api";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { expect, onTestFinished, test } from "vitest";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { inSpan } from "../../../src/agents/base/tracing.ts";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { createLogger } from "../../../src/telemetry/logger.ts";
import { logRuns } from "../../../src/telemetry/telemetry.ts";
import {
  APPROVER_TOKEN,
  createTestDeployer,
  deployState,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  registerState,
  rollbackState,
  seedVersion,
} from "../../../src/testing/index.ts";

const SECRET = "planted-5ecret-value";
const address = `postgresql://deployer:${SECRET}@db.internal:5432/e2i`;

/** As a client of somebody else's raises it: the address that it was given, in message and cause. */
const raw = () => new Error(`cannot reach ${address}`, { cause: new Error(`connect ${address}`) });
const typed = () =>
  new ServiceUnavailableError("registry", `GET ${address} failed`, {
    cause: raw(),
    details: { url: address },
  });

/** Everything that is logged while the test runs, at the lowest level. */
function logged(): string[] {
  const lines: string[] = [];
  onTestFinished(logRuns(createLogger("debug", { write: (line: string) => void lines.push(line) })));
  return lines;
}

/** Everything that OpenTelemetry would send while the test runs, as text. */
function exported(): () => string {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  trace.setGlobalTracerProvider(provider);
  onTestFinished(() => {
    trace.disable();
  });
  return () =>
    JSON.stringify(
      exporter.getFinishedSpans().map(({ name, attributes, events, links, status }) => {
        return { name, attributes, events, links, status };
      }),
    );
}

/** All that anybody could print of an error: message, stack, details and causes, hidden fields too. */
const allOf = (error: unknown) => inspect(error, { depth: 20, showHidden: true, breakLength: Infinity });

test.each([
  ["server.start", raw],
  ["server.start", typed],
  ["router.apply", raw],
  ["router.apply", typed],
  ["packager.packageModel", typed],
  ["workingMemory.rememberManifest", raw],
])("a run in which %s fails with an address and its password tells it to nobody", async (call, error) => {
  const lines = logged();
  const spans = exported();
  const deployer = await createTestDeployer();
  await seedVersion(deployer, { model_version_id: "mv_1", stage: "staging" });
  deployer.wire.fail(call, { error: error(), times: 2 });
  const session_id = "sess_0123456789abcdef";
  const state = await deployer.agent.asNode()(deployState({ session_id }), {});
  const report = await deployer.worker.tick();
  const { database } = deployer;
  const ids = new Set(JSON.stringify([state, lines]).match(/\bop_\w+/g));
  expect(ids.size).toBeGreaterThan(0);
  const operations = await Promise.all([...ids].map((id) => database.operations.get(id)));
  const history = await database.history.list(EXPERIMENT);
  const told = JSON.stringify([state, report, operations, history, lines, spans()]);
  expect(spans()).toContain("deploy.carryOut");
  expect(told).toContain("db.internal");
  expect(told).not.toContain(SECRET);
});

test.each(["registry.projectStage", "episodicMemory.store"])(
  "what is caught up later because %s failed is told without the password",
  async (call) => {
    const lines = logged();
    const deployer = await createTestDeployer();
    deployer.wire.fail(call, { error: raw() });
    const states = [await deployer.agent.asNode()(registerState(), {}), await deployer.worker.tick()];
    const told = JSON.stringify([states, lines]);
    expect(told).toContain("db.internal");
    expect(told).not.toContain(SECRET);
  },
);

test.each([raw, typed])("a span of a call that fails with an address exports no password", async (error) => {
  const spans = exported();
  await inSpan("a call", {}, () => Promise.reject(error())).catch(() => undefined);
  expect(spans()).toContain("db.internal");
  expect(spans()).not.toContain(SECRET);
});

test.each([
  ["server.start", raw],
  ["server.start", typed],
  ["server.start", () => new AggregateError([raw()], "all addresses failed")],
  ["router.apply", raw],
])(
  "an error that %s raised is handed to the caller with all its causes, and none tells the password",
  async (call, error) => {
    const deployer = await createTestDeployer();
    await seedVersion(deployer, { model_version_id: "mv_1", stage: "staging" });
    deployer.wire.fail(call, { error: error(), times: 9 });
    const raised = await errorOf(deployer.agent.execute(deployState()));
    expect(raised).toBeInstanceOf(AgentError);
    expect(allOf(raised)).toContain("db.internal");
    expect(allOf(raised)).not.toContain(SECRET);
  },
);

test.each([
  [
    "a password with an @ and a # of its own",
    (secret: string) => `postgresql://deployer:x@${secret}#@db.internal/e2i`,
  ],
  ["a password without a user", (secret: string) => `redis://:${secret}@db.internal:6379`],
  [
    "a password as a parameter",
    (secret: string) => `postgresql://db.internal/e2i?user=me&password=${secret}&ssl=true`,
  ],
  ["a token as a parameter", (secret: string) => `https://db.internal/rest?apikey=${secret}`],
])("%s is left out of an error, its details and its causes", (_, addressWith) => {
  const told = addressWith(SECRET);
  const cause = Object.assign(new Error(`connect ${told}`), { config: { urls: [told] } });
  const error = new ServiceUnavailableError("registry", `GET ${told} failed`, { cause, details: { told } });
  expect(error.cause).toBe(cause);
  expect(allOf(error)).toContain("db.internal");
  expect(allOf(error)).not.toContain(SECRET);
});

test("an approval's token is in no state, manifest, operation, history or log of the run that it lets go on", async () => {
  const lines = logged();
  const deployer = await createTestDeployer();
  const { deployment, manifest } = await inProduction(deployer, "run1");
  const state = await deployer.agent.asNode()(rollbackState({ current_deployment_id: deployment }), {});
  const told = JSON.stringify([
    manifest,
    state,
    lines,
    await deployer.database.history.list(EXPERIMENT),
    await deployer.database.endpoints.get(ENDPOINT),
    deployer.episodicMemory.episodes,
  ]);
  expect(lines.length).toBeGreaterThan(0);
  expect(told).not.toContain(APPROVER_TOKEN);
});
