import type { Experiment } from "../agents/model_deployer/domain/entities.ts";
import type { Parts, Settings } from "../agents/model_deployer/ports/parts.ts";
import { assembleDeployer, type AssembledDeployer } from "./assemble.ts";
import { type Duration, TestClock } from "./clock.ts";
import {
  createInMemoryDatabase,
  type InMemoryDatabase,
  type TestDatabase,
} from "./in_memory/database/in_memory_database.ts";
import {
  InMemoryEpisodicMemory,
  InMemoryProceduralMemory,
  InMemoryWorkingMemory,
} from "./in_memory/memories.ts";
import { InMemoryModelPackager } from "./in_memory/model_packager.ts";
import { InMemoryModelRegistry } from "./in_memory/model_registry.ts";
import type { RunSeed } from "./in_memory/run_seed.ts";
import { InMemoryModelServer } from "./in_memory/model_server.ts";
import { InMemoryPredictionLogs } from "./in_memory/prediction_logs.ts";
import { InMemoryTeamMetrics } from "./in_memory/metrics_server.ts";
import { InMemoryTrafficRouter } from "./in_memory/traffic_router.ts";
import { EXPERIMENT } from "./states.ts";
import { Wire } from "./wire.ts";

/** The token of the principal `omar`, who may approve requests of others. */
export const APPROVER_TOKEN = "omar-has-a-long-secret";

export const TEST_EXPERIMENT: Experiment = {
  experiment_id: EXPERIMENT,
  experiment_name: "Remission within a year",
  prediction_target: "remission",
  minimum_auc: 0.8,
  minimum_precision_at_k: null,
  maximum_fpr: null,
};

/** A worker's default, so that a test that lets a minute pass has the next tick look for dead servers. */
const RECONCILE_SECONDS = 30;

/** The parts beside the database, in memory. */
export interface InMemoryOutside {
  registry: InMemoryModelRegistry;
  packager: InMemoryModelPackager;
  server: InMemoryModelServer;
  router: InMemoryTrafficRouter;
  predictionLogs: InMemoryPredictionLogs;
  teamMetrics: InMemoryTeamMetrics;
  workingMemory: InMemoryWorkingMemory;
  episodicMemory: InMemoryEpisodicMemory;
  proceduralMemory: InMemoryProceduralMemory;
}

/** A deployer over any database, with in-memory parts beside it. */
export interface DeployerUnderTest extends AssembledDeployer, InMemoryOutside {
  /** The deployer's database, without the wire. */
  database: TestDatabase;
  wire: Wire;
}

export interface TestDeployer extends DeployerUnderTest {
  database: InMemoryDatabase;
  clock: TestClock;
  /** Lets so much time go by, in the database and for whatever the worker waits for. */
  passTime(by: Duration): void;
  /**
   * Another deployer in the same state, with memories of its own that are empty; from here on each goes its own way.
   * Adapters that a test brought itself are shared.
   */
  copy(): Promise<TestDeployer>;
}

export interface TestDeployerOptions {
  settings?: Partial<Settings>;
  /** Only a `demo` takes policies below 24 h of shadow. */
  installation?: "standard" | "demo";
  clock?: TestClock;
  experiments?: Experiment[];
  /** The registry's runs; `run1` to `run4`, each with a model and a `test_auc` of 0.9, unless given. */
  runs?: RunSeed[];
  /** Adapters of one's own in place of the ones in memory. */
  parts?: Partial<Omit<Parts, "database">>;
}

/**
 * A whole deployer in memory: it needs no service, starts no process and refuses what the real parts refuse. There
 * is the experiment `remission` and the principal `omar` with `APPROVER_TOKEN`; requests are asked for by `ana`.
 */
export async function createTestDeployer(options: TestDeployerOptions = {}): Promise<TestDeployer> {
  const clock = options.clock ?? new TestClock();
  const database = await createInMemoryDatabase({ clock, installation: options.installation ?? "standard" });
  for (const experiment of options.experiments ?? [TEST_EXPERIMENT]) {
    await database.experiments.create(experiment, "ana");
  }
  await database.principals.enrol("omar", APPROVER_TOKEN);
  return over({ database, clock, outside: createInMemoryOutside(options.runs) }, options);
}

interface State {
  database: InMemoryDatabase;
  clock: TestClock;
  outside: InMemoryOutside;
}

function over({ database, clock, outside }: State, options: TestDeployerOptions): TestDeployer {
  const wire = new Wire();
  const parts: Parts = {
    database,
    serverUsage: outside.server,
    rowServers: outside.server,
    ...outside,
    ...options.parts,
  };
  const assembled = assembleDeployer(parts, {
    wire,
    settings: { reconcile_seconds: RECONCILE_SECONDS, ...options.settings },
    now: () => clock.read / 1000,
  });
  const passTime = (by: Duration) => {
    clock.turn(by);
  };
  const copy = async () => {
    const packager = outside.packager.copy();
    const copied = {
      ...createInMemoryOutside([]),
      packager,
      registry: outside.registry.copy(),
      server: outside.server.copy(packager),
      router: outside.router.copy(),
    };
    const other = clock.copy();
    return over({ database: await database.copy(other), clock: other, outside: copied }, options);
  };
  return { ...outside, ...assembled, database, wire, clock, passTime, copy };
}

export function createInMemoryOutside(runs: RunSeed[] = testRuns()): InMemoryOutside {
  const packager = new InMemoryModelPackager();
  return {
    registry: new InMemoryModelRegistry({ runs }),
    packager,
    server: new InMemoryModelServer(packager),
    router: new InMemoryTrafficRouter(),
    predictionLogs: new InMemoryPredictionLogs(),
    teamMetrics: new InMemoryTeamMetrics(),
    workingMemory: new InMemoryWorkingMemory(),
    episodicMemory: new InMemoryEpisodicMemory(),
    proceduralMemory: new InMemoryProceduralMemory(),
  };
}

function testRuns(): RunSeed[] {
  return [1, 2, 3, 4].map((number) => ({
    run_id: `run${number}`,
    metrics: { test_auc: 0.9 },
    algorithm: "sklearn",
    models: { model: { "model.bin": `weights of ${number}` } },
  }));
}
