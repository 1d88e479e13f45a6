import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, inject, onTestFinished } from "vitest";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { connectModelDeployer } from "../../../src/wiring/connect_model_deployer.ts";
import { STANDARD_GATE_POLICY } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { stopHome } from "../../../src/platform/processes/homes/stop_home.ts";
import {
  APPROVER_TOKEN,
  assembleDeployer,
  EXPERIMENT,
  TEST_EXPERIMENT,
  Wire,
} from "../../../src/testing/index.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import type { StoryTeller } from "../../support/given/given_story.ts";
import { describeScenarios } from "../../support/scenarios.ts";
import { openWorld } from "../../support/world.ts";
import { Callers } from "./callers.ts";
import { prepareServing, runOf, type TrainedModels, trainModels } from "./trained_models.ts";

/** The same scenarios on real MLflow, BentoML, Envoy and Postgres: requests are sent, and time is turned in the database. */

/** `run2` answers as it should, but for what it is asked to fail. */
const MODELS: Record<string, string> = { run1: "v1", run2: "v3", run3: "v2" };
let trained: TrainedModels;

beforeAll(async () => {
  trained = await trainModels();
});

async function tell(): Promise<StoryTeller> {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-scenario-"));
  const database = await createTestDatabase();
  const world = await openWorld(database.url);
  const deployer = await connectModelDeployer(
    readConfiguration({
      DATABASE_URL: database.url,
      REDIS_URL: inject("redisUrl"),
      ...mlflowEnvironment(inject("mlflow")),
      MODEL_DEPLOYER_HOME: home,
      MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
    }),
  );
  onTestFinished(async () => {
    await deployer.close();
    await stopHome(home);
    await rm(home, { recursive: true, force: true });
    await world.close();
    await database.drop();
  });
  const { experiments, principals } = deployer.database;
  await experiments.create(TEST_EXPERIMENT, "ana");
  await principals.enrol("omar", APPROVER_TOKEN);
  const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;
  const slow = { maximum_shadow_p99_ms: 600_000, reason: "a test says nothing about how fast a machine is" };
  await experiments.setGatePolicy(EXPERIMENT, { ...standard, ...slow }, "ana");
  await prepareServing(deployer.parts.registry, runOf(trained, "v1"));
  const { graph, agent, worker } = assembleDeployer(deployer.parts, {
    wire: new Wire(),
    settings: { patience_seconds: 120 },
  });
  return {
    graph,
    agent,
    worker,
    database: deployer.database,
    router: new Callers(deployer.database, deployer.parts.router, trained.rows),
    passTime: world.passTime,
    runOf: (name) => runOf(trained, MODELS[name] ?? name),
  };
}

describeScenarios(tell);
