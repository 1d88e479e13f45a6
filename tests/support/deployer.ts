import { randomUUID } from "node:crypto";
import { isInterrupted, MemorySaver } from "@langchain/langgraph";
import { expect } from "vitest";
import { AgentError } from "../../src/agents/base/agent_error.ts";
import { ModelDeployerAgent } from "../../src/agents/model_deployer/agent.ts";
import { type Capabilities, createCapabilities } from "../../src/agents/model_deployer/capabilities.ts";
import { createModelDeployerGraph, type ModelDeployerGraph } from "../../src/agents/model_deployer/graph.ts";
import type { Parts, Settings } from "../../src/agents/model_deployer/parts.ts";
import {
  approvalQuestionSchema,
  type ModelDeployerRequest,
  type ModelDeployerStateValue,
} from "../../src/agents/model_deployer/state.ts";
import type { DeployerDatabase } from "../../src/database/index.ts";
import { Worker } from "../../src/worker/worker.ts";
import {
  InMemoryEpisodicMemory,
  InMemoryProceduralMemory,
  InMemoryWorkingMemory,
} from "../../src/testing/in_memory/memories.ts";
import { InMemoryModelPackager } from "../../src/testing/in_memory/model_packager.ts";
import { InMemoryModelRegistry } from "../../src/testing/in_memory/model_registry.ts";
import { InMemoryModelServer } from "../../src/testing/in_memory/model_server.ts";
import { InMemoryPredictionLogs } from "../../src/testing/in_memory/prediction_logs.ts";
import { InMemoryTrafficRouter } from "../../src/testing/in_memory/traffic_router.ts";
import { Wire } from "../../src/testing/wire.ts";
import type { World } from "./world.ts";

export const EXPERIMENT = "remission";
export const ENDPOINT = "e2i_remission";
export const APPROVER_TOKEN = "omar-has-a-long-secret";
export const SESSION = "sess_0123456789abcdef";

export const standardSettings: Settings = {
  requested_by: "ana",
  lease_seconds: 30,
  patience_seconds: 20,
  retention_seconds: 3600,
  reconcile_seconds: 3600,
  default_effects: "live",
};

export interface Fakes {
  registry: InMemoryModelRegistry;
  packager: InMemoryModelPackager;
  server: InMemoryModelServer;
  router: InMemoryTrafficRouter;
  predictionLogs: InMemoryPredictionLogs;
  workingMemory: InMemoryWorkingMemory;
  episodicMemory: InMemoryEpisodicMemory;
  proceduralMemory: InMemoryProceduralMemory;
}

/** A whole deployer over a real database, everything else fake and behind a wire that can be cut. */
export interface GivenDeployer extends Fakes {
  world: World;
  db: DeployerDatabase;
  wire: Wire;
  capabilities: Capabilities;
  /** Waits for approvals by interrupt. */
  graph: ModelDeployerGraph;
  /** Has no checkpointer: a missing approval is an error. */
  agent: ModelDeployerAgent;
  worker: Worker;
}

export interface DeployerOptions {
  settings?: Partial<Settings>;
  /** New ones, unless given. */
  fakes?: Fakes;
}

/** Puts an experiment, its runs `run1` to `run4` and a principal who may approve into an empty world. */
export async function deployerIn(world: World, options: DeployerOptions = {}): Promise<GivenDeployer> {
  await world.db.experiments.create(
    {
      experiment_id: EXPERIMENT,
      experiment_name: "Remission within a year",
      prediction_target: "remission",
      minimum_auc: 0.8,
      minimum_precision_at_k: null,
      maximum_fpr: null,
    },
    "ana",
  );
  await world.db.principals.enrol("omar", APPROVER_TOKEN);
  return deployerOver(world, world.db, options);
}

/** Everything outside the database, with the runs `run1` to `run4`. */
export function createFakes(): Fakes {
  const packager = new InMemoryModelPackager();
  return {
    registry: registryWithRuns(),
    packager,
    server: new InMemoryModelServer(packager),
    router: new InMemoryTrafficRouter(),
    predictionLogs: new InMemoryPredictionLogs(),
    workingMemory: new InMemoryWorkingMemory(),
    episodicMemory: new InMemoryEpisodicMemory(),
    proceduralMemory: new InMemoryProceduralMemory(),
  };
}

/** Another process: its own connections and lease holder, the same outside. */
export function anotherProcess(given: GivenDeployer, overrides: Partial<Settings> = {}): GivenDeployer {
  const db = given.world.another(`process-${randomUUID()}`);
  return deployerOver(given.world, db, { fakes: given, settings: overrides });
}

function registryWithRuns(): InMemoryModelRegistry {
  const runs = [1, 2, 3, 4].map((number) => ({
    run_id: `run${number}`,
    metrics: { test_auc: 0.9 },
    algorithm: "sklearn",
    models: { model: { "model.bin": `weights of ${number}` } },
  }));
  return new InMemoryModelRegistry({ runs });
}

function deployerOver(
  world: World,
  db: DeployerDatabase,
  { fakes = createFakes(), settings = {} }: DeployerOptions,
): GivenDeployer {
  const wire = new Wire();
  const parts: Parts = {
    database: {
      ...db,
      journal: wire.around("journal", db.journal),
      outbox: wire.around("outbox", db.outbox),
    },
    registry: wire.around("registry", fakes.registry),
    packager: wire.around("packager", fakes.packager),
    server: wire.around("server", fakes.server),
    router: wire.around("router", fakes.router),
    predictionLogs: wire.around("predictionLogs", fakes.predictionLogs),
    workingMemory: wire.around("workingMemory", fakes.workingMemory),
    episodicMemory: wire.around("episodicMemory", fakes.episodicMemory),
    proceduralMemory: wire.around("proceduralMemory", fakes.proceduralMemory),
  };
  const { registry, packager, server, router, predictionLogs } = fakes;
  const { workingMemory, episodicMemory, proceduralMemory } = fakes;
  const memories = { workingMemory, episodicMemory, proceduralMemory };
  const own = { registry, packager, server, router, predictionLogs, ...memories };
  const capabilities = createCapabilities(parts, { ...standardSettings, ...settings });
  const graph = createModelDeployerGraph(capabilities, { checkpointer: new MemorySaver() });
  const agent = new ModelDeployerAgent(createModelDeployerGraph(capabilities));
  return { ...own, world, db, wire, capabilities, graph, agent, worker: new Worker(capabilities, graph) };
}

// ---------------------------------------------------------------- acting

export type Request = Omit<ModelDeployerRequest, "deployment_action">;

export function liveThread(thread = randomUUID()) {
  return { configurable: { thread_id: thread }, context: { effects: "live" } };
}

export async function act(
  { graph }: GivenDeployer,
  action: string,
  request: Request,
): Promise<ModelDeployerStateValue> {
  return graph.invoke({ deployment_action: action, ...request }, liveThread());
}

export async function register(given: GivenDeployer, run: string, request: Request = {}): Promise<string> {
  const state = await act(given, "register", { experiment_id: EXPERIMENT, mlflow_run_id: run, ...request });
  return state.version_record?.model_version_id ?? expect.fail("nothing was registered");
}

export const promote = (given: GivenDeployer, version: string, stage: string, request: Request = {}) =>
  act(given, "promote", { model_version_id: version, target_stage: stageOf(stage), ...request });

export async function deploy(given: GivenDeployer, version: string, stage: string, request: Request = {}) {
  const asked = { model_version_id: version, target_stage: stageOf(stage), ...request };
  const state = await act(given, "deploy", asked);
  return state.deployment_manifest ?? expect.fail("no manifest came of the deployment");
}

type Stage = NonNullable<ModelDeployerRequest["target_stage"]>;
const stages: readonly Stage[] = ["development", "staging", "shadow", "production", "archived"];
const stageOf = (name: string): Stage =>
  stages.find((stage) => stage === name) ?? expect.fail(`${name} is no stage`);

/** Asks without a checkpointer, is told that an approval is needed, has it approved, and asks again. */
export async function promoteWithApproval(given: GivenDeployer, version: string, stage = "production") {
  const request = {
    deployment_action: "promote",
    model_version_id: version,
    target_stage: stageOf(stage),
    promotion_reason: "it has proved itself",
  };
  const error = await errorOf(given.agent.execute(request));
  expect(error.code, error.message).toBe("approval_required");
  await approve(given, String(error.details["operation_id"]));
  return given.agent.execute(request);
}

export const approve = ({ db }: GivenDeployer, operationId: string) =>
  db.approvals.grant({ token: APPROVER_TOKEN, operation_id: operationId, reason: "the figures are good" });

/** What a run waits for. */
export function questionOf(state: unknown) {
  if (!isInterrupted(state)) return expect.fail("the run did not wait");
  return approvalQuestionSchema.parse(state.__interrupt__[0]?.value);
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

/** Puts a version in place of what serves, at once. */
export async function deployAtOnce(given: GivenDeployer, version: string) {
  const request = {
    deployment_action: "deploy",
    model_version_id: version,
    target_stage: "production" as const,
    rollout: "immediate" as const,
  };
  const error = await errorOf(given.agent.execute(request));
  expect(error.code, error.message).toBe("approval_required");
  await approve(given, String(error.details["operation_id"]));
  const { deployment_manifest } = await given.agent.execute(request);
  return deployment_manifest ?? expect.fail("no manifest came of the deployment");
}

/** A version that serves all production traffic. */
export async function givenInProduction(given: GivenDeployer, run: string, request: Request = {}) {
  const version = await givenReadyForProduction(given, run);
  await promoteWithApproval(given, version);
  const manifest = await deploy(given, version, "production", request);
  return { version, deployment: manifest.deployment_id, manifest };
}

export async function errorOf(work: Promise<unknown>): Promise<AgentError> {
  const outcome = await work.then(
    () => expect.fail("it was expected to be refused"),
    (error: unknown) => error,
  );
  if (outcome instanceof AgentError) return outcome;
  throw outcome;
}
