import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { z } from "zod";
import { experimentName } from "../../../../src/agents/model_deployer/domain/values/names.ts";
import type { Settings } from "../../../../src/agents/model_deployer/ports/parts.ts";
import { readRequirements } from "../../../../src/mlops/bentoml/packaging/artifact_environment.ts";
import { mlflowEnvironment } from "../../../../src/wiring/settings/mlflow_settings.ts";
import { childEnvironment } from "../../../../src/platform/processes/managed_process.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../../../src/platform/python/python_environment.ts";
import { APPROVER_TOKEN, assembleDeployer, TEST_EXPERIMENT, Wire } from "../../../../src/testing/index.ts";
import { standardSettings } from "../../../support/deployer.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../../support/services/scratch_database.ts";
import type { TestServices } from "../../../support/services/test_services.ts";
import { openWorld, type OpenWorld } from "../../../support/world.ts";
import { violationsOf } from "../../invariants/invariants.ts";
import { RecordedFakes } from "../restorable/recorded_fakes.ts";
import { RestorableDatabase } from "../restorable/restorable_database.ts";
import { RestorableEnvoy } from "../restorable/restorable_envoy.ts";
import type { Carrier } from "../scenario.ts";
import { realEngine, type RealTools } from "./real_parts.ts";
import { type RegisteredModel, RestorableMLflow } from "./restorable_mlflow.ts";
import { RestorableServers, type ServersMoment } from "./restorable_servers.ts";

const trainedSchema = z.object({
  runs: z.array(z.object({ name: z.string(), run_id: z.string() })),
  rows: z.object({ usual: z.array(z.record(z.string(), z.number())) }),
});
export type Trained = z.infer<typeof trainedSchema>;

const CALL_MS = 30_000;

/** Longer than a server takes to start on a busy machine, so that a process passes all its points. */
export const realSettings: Settings = { ...standardSettings, patience_seconds: 200 };

/** A deployer over the real parts, the memories excepted, and what its scenarios ask of it. */
export interface RealDeployer extends Carrier {
  experiment: string;
  /** The MLflow run of a model that was trained for this: `v1` or `v2`. */
  runOf(name: string): string;
}

export interface RealMoment {
  schema: string;
  routerFiles: string;
  servers: ServersMoment;
  model: RegisteredModel;
  done: ReturnType<RecordedFakes["keep"]>;
}

/** A home with real MLflow, BentoML and Envoy, which can be put back to an earlier moment. */
export class RealWorld {
  readonly tools: RealTools;
  readonly given: RealDeployer;
  readonly database: RestorableDatabase;
  readonly memories = new RecordedFakes();
  readonly engine: ReturnType<typeof realEngine>;
  readonly #parts: RealWorldParts;

  private constructor(parts: RealWorldParts) {
    const { world, tools, trained, experiment } = parts;
    this.#parts = parts;
    this.tools = tools;
    this.database = new RestorableDatabase(world);
    this.engine = realEngine(tools);
    const { workingMemory, episodicMemory, proceduralMemory } = this.memories.parts;
    const memories = { workingMemory, episodicMemory, proceduralMemory };
    const assembled = assembleDeployer(
      { database: world.db, ...this.engine, ...memories },
      { wire: new Wire(), settings: realSettings },
    );
    this.given = {
      world,
      database: world.db,
      graph: assembled.graph,
      agent: assembled.agent,
      worker: assembled.worker,
      experiment,
      runOf: (name) => trained.runs.find((run) => run.name === name)?.run_id ?? "",
    };
  }

  static async open(services: TestServices): Promise<RealWorld> {
    const { cacheDirectory: cache } = services;
    const mlflow = mlflowEnvironment(services.mlflow);
    const { python, bentoml, uv, envoy } = await ensureToolsEnvironment({ cacheDirectory: cache });
    const home = await mkdtemp(join(tmpdir(), "crash-real-"));
    const tools = { home, cache, mlflow, bentoml, uv, envoy };
    const experiment = `crash_${randomUUID().slice(0, 8)}`;
    const scratch = await createScratchDatabase(services.databaseUrl);
    const world = await openWorld(scratch.url);
    await world.db.experiments.create({ ...TEST_EXPERIMENT, experiment_id: experiment }, "ana");
    await world.db.principals.enrol("omar", APPROVER_TOKEN);
    return new RealWorld({
      tools,
      experiment,
      scratch,
      world,
      trained: await train(python, tools),
      servers: await RestorableServers.create(home, tools),
      router: await RestorableEnvoy.create(services, home),
      mlflow: new RestorableMLflow(services.mlflow, experimentName(experiment)),
    });
  }

  async keep(): Promise<RealMoment> {
    const { servers, router, mlflow } = this.#parts;
    return {
      schema: await this.database.keep(),
      routerFiles: await router.keep(),
      servers: await servers.keep(),
      model: await mlflow.keep(),
      done: this.memories.keep(),
    };
  }

  async restore(moment: RealMoment): Promise<void> {
    const { servers, router, mlflow } = this.#parts;
    await this.database.restore(moment.schema);
    await this.memories.restore(moment.done);
    await mlflow.restore(moment.model);
    await servers.restore(moment.servers);
    await router.restore(moment.routerFiles);
  }

  /** As `violationsOf`, and what a caller of each endpoint gets. */
  async violations(): Promise<string[]> {
    const { world } = this.#parts;
    const { registry, router } = this.engine;
    const { server } = this.#parts.servers;
    const options = () => ({ signal: AbortSignal.timeout(CALL_MS) });
    const { episodicMemory } = this.memories.parts;
    return [
      ...(await violationsOf({
        sql: world.sql,
        router,
        server,
        registry: { projectionOf: (name, version) => registry.describeVersion(name, version, options()) },
        episodes: () => episodicMemory.episodes.map((episode) => episode.dedupe_key),
        home: this.tools.home,
      })),
      ...(await this.#wrongAnswers()),
    ];
  }

  async close(): Promise<void> {
    const { servers, router, mlflow, world, scratch } = this.#parts;
    await router.close();
    await servers.close();
    await mlflow.restore({ versions: [], aliases: [] });
    await world.close();
    await scratch.drop();
    await rm(this.tools.home, { recursive: true, force: true, maxRetries: 3 });
  }

  async #wrongAnswers(): Promise<string[]> {
    const { world, trained } = this.#parts;
    const rows = await world.sql(
      `select endpoint_url as url, (select jsonb_object_keys(weights) limit 1) as id from ml_endpoints
       where weights <> '{}'`,
    );
    const body = JSON.stringify({ entity_id: "p1", features: trained.rows.usual[0], time_horizon: "30d" });
    const headers = { "content-type": "application/json" };
    const answers = rows.map(async ({ url, id }) => {
      const signal = AbortSignal.timeout(CALL_MS);
      const answer = await fetch(`${String(url)}/predict`, { method: "POST", headers, body, signal });
      const from = answer.headers.get("x-deployment-id");
      return answer.status === 200 && from === id
        ? []
        : [
            `${String(url)} answers from ${String(id)}, but it answered ${answer.status} from ${String(from)}`,
          ];
    });
    return (await Promise.all(answers)).flat();
  }
}

interface RealWorldParts {
  tools: RealTools;
  experiment: string;
  scratch: ScratchDatabase;
  world: OpenWorld;
  trained: Trained;
  servers: RestorableServers;
  router: RestorableEnvoy;
  mlflow: RestorableMLflow;
}

/** Trains what the demo trains, and makes the environment that serves it, so that no case waits for packages. */
async function train(python: string, tools: RealTools): Promise<Trained> {
  const { stdout } = await execa(python, ["src/cli/example/train.py"], {
    env: childEnvironment(tools.mlflow),
    extendEnv: false,
  });
  const trained = trainedSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  const signal = AbortSignal.timeout(500_000);
  const { registry } = realEngine(tools);
  const { path } = await registry.fetchArtifact(`runs:/${trained.runs[0]?.run_id ?? ""}/model`, { signal });
  const requirements = await readRequirements(path);
  await ensureModelEnvironment({ cacheDirectory: tools.cache, requirements, uv: tools.uv, signal });
  return trained;
}
