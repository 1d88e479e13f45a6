import { randomUUID } from "node:crypto";
import type { Settings } from "../../src/agents/model_deployer/ports/parts.ts";
import type { DeployerDatabase } from "../../src/database/index.ts";
import {
  APPROVER_TOKEN,
  assembleDeployer,
  deploy,
  type DeployerUnderTest,
  ENDPOINT,
  type InMemoryOutside,
  pipelineIds,
  promote,
  promoteWithApproval,
  register,
  type Request,
  TEST_EXPERIMENT,
  Wire,
} from "../../src/testing/index.ts";
import { createInMemoryOutside } from "../../src/testing/test_deployer.ts";
import type { World } from "./world.ts";

export {
  act,
  approve,
  APPROVER_TOKEN,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  liveThread,
  promote,
  promoteWithApproval,
  questionOf,
  register,
  type Request,
} from "../../src/testing/index.ts";

export { TEST_SETTINGS as standardSettings } from "../../src/testing/index.ts";
export { createInMemoryOutside as createFakes } from "../../src/testing/test_deployer.ts";
export type { InMemoryOutside as Fakes } from "../../src/testing/index.ts";

export const SESSION = pipelineIds.session_id;

/** A whole deployer over a real database, everything else in memory and behind a wire that can be cut. */
export interface GivenDeployer extends DeployerUnderTest {
  world: World;
  db: DeployerDatabase;
}

export interface DeployerOptions {
  settings?: Partial<Settings>;
  /** New ones, unless given. */
  fakes?: InMemoryOutside;
}

/** Puts an experiment, its runs `run1` to `run4` and a principal who may approve into an empty world. */
export async function deployerIn(world: World, options: DeployerOptions = {}): Promise<GivenDeployer> {
  await world.db.experiments.create(TEST_EXPERIMENT, "ana");
  await world.db.principals.enrol("omar", APPROVER_TOKEN);
  return deployerOver(world, world.db, options.fakes ?? createInMemoryOutside(), options.settings);
}

/** Another process: its own connections and lease holder, the same outside; behind a wire of its own unless told. */
export function anotherProcess(
  given: GivenDeployer,
  overrides: Partial<Settings> = {},
  wire = new Wire(),
): GivenDeployer {
  const db = given.world.another(`process-${randomUUID()}`);
  return deployerOver(given.world, db, given, overrides, wire);
}

function deployerOver(
  world: World,
  db: DeployerDatabase,
  fakes: InMemoryOutside,
  settings: Partial<Settings> = {},
  wire = new Wire(),
): GivenDeployer {
  const { registry, packager, server, router, predictionLogs, teamMetrics } = fakes;
  const { workingMemory, episodicMemory, proceduralMemory } = fakes;
  const memories = { workingMemory, episodicMemory, proceduralMemory };
  const outside = { registry, packager, server, router, predictionLogs, teamMetrics, ...memories };
  const parts = { database: db, rowServers: server, ...outside };
  const assembled = assembleDeployer(parts, { wire, settings, wiredStores: ["journal", "outbox"] });
  return { ...outside, ...assembled, world, db, database: db, wire };
}

/** Registers the run, moves it to shadow and gives it a day under mirrored traffic. */
export async function givenReadyForProduction(given: GivenDeployer, run: string): Promise<string> {
  const version = await register(given, run);
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  const { deployment_id } = await deploy(given, version, "shadow");
  given.router.sendTraffic(ENDPOINT, 1000);
  await turnBackActivation(given, deployment_id, "24 hours");
  return version;
}

/** As if the deployment had become active so much earlier. */
export async function turnBackActivation({ world }: GivenDeployer, deployment: string, by: string) {
  await world.sql(
    "update ml_deployments set activated_at = activated_at - $2::interval where deployment_id = $1",
    [deployment, by],
  );
}

/** A version that serves all production traffic. */
export async function givenInProduction(given: GivenDeployer, run: string, request: Request = {}) {
  const version = await givenReadyForProduction(given, run);
  await promoteWithApproval(given, version);
  const manifest = await deploy(given, version, "production", request);
  return { version, deployment: manifest.deployment_id, manifest };
}
