import { randomBytes, randomUUID } from "node:crypto";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { createCapabilities } from "../../src/agents/model_deployer/capabilities.ts";
import { connectModelDeployer } from "../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import type { ModelVersion } from "../../src/agents/model_deployer/domain/entities.ts";
import { bentoTag } from "../../src/agents/model_deployer/domain/values/names.ts";
import { ApprovalRequiredError, ServiceRefusedError } from "../../src/agents/model_deployer/errors.ts";
import { createModelDeployerGraph, type ModelDeployerGraph } from "../../src/agents/model_deployer/graph.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import type { DeployerDatabase } from "../../src/database/index.ts";
import { enrolOperatingUser } from "../../tests/support/given/enrolled_user.ts";
import { MLflowSeed } from "../../tests/integration/mlflow/mlflow_seed.ts";
import { BuiltBentos } from "./built_bentos.ts";
import { EXPERIMENT, Forwarder } from "./seed.ts";
import { Upstreams, UpstreamServer } from "./upstreams.ts";
import { measureWays, reportWays } from "./ways.ts";
import { median, percentile } from "../support/figures.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";

/**
 * How long callers keep getting the bad version after a rollback is asked for. Graph, Postgres, Envoy, MLflow and the
 * memories are real; the two model servers answer at once from another thread, for their speed is not the question.
 *
 * usage: node bench/rollback/main.ts [--rollbacks=200] [--warmup=20] [--ways=10]
 */
const ROLLBACKS = option("rollbacks", 200);
const WARM_UP = option("warmup", 20);
/** Rounds of each way back. */
const WAYS = option("ways", 10);

interface Setting {
  forwarder: Forwarder;
  upstreams: Upstreams;
  graphs: { name: string; graph: ModelDeployerGraph }[];
  versions: { good: string; bad: string };
  goodDeployment: string;
  server: UpstreamServer;
  /** Asked for and approved. */
  archive: (versionId: string) => Promise<void>;
  roundTrip: () => Promise<number>;
}

interface Sample {
  switched: number;
  returned: number;
  /** One query of nothing, just before: how busy the machine is at that moment. */
  roundTrip: number;
}

const ROUND_TRIPS = 10;

async function build(configuration: Configuration, opened: Opened): Promise<Setting> {
  const deployer = await connectModelDeployer(configuration);
  opened.closers.push(() => deployer.close());
  const { database } = deployer;
  const [good, bad] = await registerTwo(deployer);
  const { upstreams, server } = await upstreamsOf([good, bad], opened);
  const parts = { ...deployer.parts, server, packager: new BuiltBentos([good, bad]) };
  const capabilities = createCapabilities(parts, deployer.settings);
  const saver = PostgresSaver.fromConnString(deployer.addresses.databaseOwnerUrl);
  await saver.setup();
  opened.closers.push(() => saver.end());
  const forwarder = new Forwarder(database, parts);
  const versions = { good: good.model_version_id, bad: bad.model_version_id };
  return {
    forwarder,
    upstreams,
    graphs: [
      { name: "no checkpointer", graph: createModelDeployerGraph(capabilities) },
      {
        name: "Postgres checkpointer",
        graph: createModelDeployerGraph(capabilities, { checkpointer: saver }),
      },
    ],
    versions,
    goodDeployment: await serveBoth(forwarder, versions),
    server,
    archive: archiveBy(deployer),
    roundTrip: () => timeRoundTrip(database),
  };
}

async function registerTwo({ agent, addresses, database }: ModelDeployer) {
  const criteria = { minimum_auc: 0.8, minimum_precision_at_k: null, maximum_fpr: null };
  const described = { experiment_name: "Rollback bench", prediction_target: "speed" };
  await database.experiments.create({ experiment_id: EXPERIMENT, ...described, ...criteria }, "bench");
  const seed = new MLflowSeed(addresses);
  const register = async () => {
    const { run_id } = await seed.addRun({
      metrics: { roc_auc: 0.9 },
      models: { model: { MLmodel: "flavors: {}\n" } },
    });
    const request = { deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: run_id };
    const { model_version_id } = await agent.execute(request);
    return (
      (await database.modelVersions.get(model_version_id ?? "")) ?? refuse("a version was not registered")
    );
  };
  return [await register(), await register()] as const;
}

async function upstreamsOf(versions: readonly ModelVersion[], opened: Opened) {
  const tags = versions.map(bentoTag);
  const upstreams = await Upstreams.start(tags, 0);
  opened.closers.push(() => upstreams.stop());
  const server = new UpstreamServer(new Map(tags.map((tag, index) => [tag, upstreams.ports[index] ?? 0])));
  opened.closers.push(() => server.close());
  return { upstreams, server };
}

function archiveBy({ agent, database }: ModelDeployer): Setting["archive"] {
  const token = randomBytes(24).toString("hex");
  // Whoever asks is known: what nobody knows who asks for takes one approval more.
  const enrolled = Promise.all([database.principals.enrol("omar", token), enrolOperatingUser(database)]);
  return async (model_version_id) => {
    await enrolled;
    const request = { deployment_action: "promote", model_version_id, target_stage: "archived" as const };
    const waits = await agent.execute(request).catch((error: unknown) => error);
    if (!(waits instanceof ApprovalRequiredError)) refuse("an archival did not ask for its approval");
    const operation_id = String(waits.details["operation_id"]);
    await database.approvals.grant({ token, operation_id, reason: "bench" });
    await agent.execute(request);
  };
}

async function timeRoundTrip({ clock }: DeployerDatabase): Promise<number> {
  const begun = performance.now();
  for (let count = 0; count < ROUND_TRIPS; count += 1) await clock.now();
  return (performance.now() - begun) / ROUND_TRIPS;
}

/** The good version served first; it is what every rollback returns to. */
async function serveBoth(forwarder: Forwarder, { good, bad }: Setting["versions"]): Promise<string> {
  for (const stage of ["staging", "shadow", "production"] as const) await forwarder.moveStage(good, stage);
  const goodDeployment = await forwarder.bringForward(good);
  for (const stage of ["staging", "shadow"] as const) await forwarder.moveStage(bad, stage);
  await forwarder.moveStage(good, "archived");
  await forwarder.moveStage(bad, "production");
  await forwarder.moveStage(bad, "archived");
  await forwarder.moveStage(good, "production");
  return goodDeployment;
}

async function rollBackOnce(setting: Setting, graph: ModelDeployerGraph): Promise<Sample> {
  const { upstreams, forwarder } = setting;
  const bad = await forwarder.bringForward(setting.versions.bad);
  await upstreams.firstAnswerOf(bad);
  const seen = upstreams.firstAnswerOf(setting.goodDeployment);
  const request = { deployment_action: "rollback", current_deployment_id: bad, rollback_reason: "bench" };
  const config = {
    configurable: { thread_id: randomUUID() },
    context: { effects: "live" },
  } as const;
  const roundTrip = await setting.roundTrip();
  const begun = process.hrtime.bigint();
  const state = await graph.invoke(request, config);
  const ended = process.hrtime.bigint();
  if (state.rollback_successful !== true) refuse("a rollback did not succeed");
  if ((state.degraded ?? []).length > 0) say(`degraded: ${(state.degraded ?? []).join("; ")}`);
  const { at } = await seen;
  return { switched: Number(at - begun) / 1e6, returned: Number(ended - begun) / 1e6, roundTrip };
}

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  say("bringing up Postgres, Redis, MLflow and Envoy");
  const setting = await build(configuration, opened);
  const endpoint = await setting.forwarder.endpointUrl();
  setting.upstreams.callEndpoint(endpoint);
  const samples = new Map<string, Sample[]>(setting.graphs.map(({ name }) => [name, []]));
  for (let round = 0; round < WARM_UP + ROLLBACKS; round += 1) {
    for (const { name, graph } of setting.graphs) {
      const sample = await rollBackOnce(setting, graph);
      if (round >= WARM_UP) samples.get(name)?.push(sample);
    }
  }
  const { asked, lost } = await setting.upstreams.firstAnswerOf(setting.goodDeployment);
  report(samples);
  reportWays(await measureWays(setting, WAYS));
  say(`callers asked ${asked} times meanwhile, ${lost} of them in vain`);
  printMachine();
}

function report(samples: Map<string, Sample[]>): void {
  say();
  say(`${ROLLBACKS} warm rollbacks each, ms from invoke`);
  const rows = [...samples].flatMap(([name, list]) =>
    (["switched", "returned"] as const).map((key) => {
      const values = list.map((sample) => sample[key]);
      const what = key === "switched" ? "first answer of the old version" : "return of the action";
      return [`${name}: ${what}`, ...[50, 95, 99, 100].map((percent) => percentile(values, percent))];
    }),
  );
  printTable(["", "p50", "p95", "p99", "max"], rows);
  for (const [name, list] of samples) {
    const ratios = list.map(({ switched, roundTrip }) => switched / roundTrip);
    say(
      `${name}: a round trip to Postgres took ${median(list.map(({ roundTrip }) => roundTrip)).toFixed(2)} ms meanwhile; ` +
        `the switch took as long as ${median(ratios).toFixed(0)} of them`,
    );
  }
}

function refuse(why: string): never {
  throw new ServiceRefusedError("bench", `${why}; the figures would be worth nothing`);
}

await runInHome(measure);
