import type { Experiment } from "../agents/model_deployer/domain/entities.ts";
import type { Parts, Settings } from "../agents/model_deployer/parts.ts";
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
import { InMemoryModelRegistry, type RunSeed } from "./in_memory/model_registry.ts";
import { InMemoryModelServer } from "./in_memory/model_server.ts";
import { InMemoryTrafficRouter } from "./in_memory/traffic_router.ts";
import { EXPERIMENT } from "./states.ts";
import { Wire } from "./wire.ts";

/** Of the principal `omar`, who may approve what others ask for. */
export const APPROVER_TOKEN = "omar-has-a-long-secret";

export const TEST_EXPERIMENT: Experiment = {
  experiment_id: EXPERIMENT,
  experiment_name: "Remission within a year",
  prediction_target: "remission",
  minimum_auc: 0.8,
  minimum_precision_at_k: null,
  maximum_fpr: null,
};

/** What lies outside the database, in memory. */
export interface InMemoryOutside {
  registry: InMemoryModelRegistry;
  packager: InMemoryModelPackager;
  server: InMemoryModelServer;
  router: InMemoryTrafficRouter;
  workingMemory: InMemoryWorkingMemory;
  episodicMemory: InMemoryEpisodicMemory;
  proceduralMemory: InMemoryProceduralMemory;
}

/** Whom a test acts through: a deployer over any database, with the world outside in memory. */
export interface DeployerUnderTest extends AssembledDeployer, InMemoryOutside {
  /** As the deployer has it, past the wire. */
  database: TestDatabase;
  wire: Wire;
}

export interface TestDeployer extends DeployerUnderTest {
  database: InMemoryDatabase;
  clock: TestClock;
  /** Lets so much time go by in the database. */
  passTime(by: Duration): void;
}

export interface TestDeployerOptions {
  settings?: Partial<Settings>;
  /** Only a `demo` takes policies below 24 h of shadow. */
  installation?: "standard" | "demo";
  clock?: TestClock;
  experiments?: Experiment[];
  /** What the registry holds; `run1` to `run4`, each with a model and a `test_auc` of 0.9, unless told. */
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
  const database = createInMemoryDatabase({ clock, installation: options.installation ?? "standard" });
  for (const experiment of options.experiments ?? [TEST_EXPERIMENT]) {
    await database.experiments.create(experiment, "ana");
  }
  await database.principals.enrol("omar", APPROVER_TOKEN);
  const outside = createInMemoryOutside(options.runs);
  const wire = new Wire();
  const parts: Parts = { database, ...outside, ...options.parts };
  const assembled = assembleDeployer(parts, {
    wire,
    ...(options.settings && { settings: options.settings }),
  });
  const passTime = (by: Duration) => {
    clock.turn(by);
  };
  return { ...outside, ...assembled, database, wire, clock, passTime };
}

export function createInMemoryOutside(runs: RunSeed[] = testRuns()): InMemoryOutside {
  const packager = new InMemoryModelPackager();
  return {
    registry: new InMemoryModelRegistry({ runs }),
    packager,
    server: new InMemoryModelServer(packager),
    router: new InMemoryTrafficRouter(),
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
