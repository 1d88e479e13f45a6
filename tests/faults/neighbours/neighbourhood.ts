import { randomUUID } from "node:crypto";
import { mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Parts } from "../../../src/agents/model_deployer/ports/parts.ts";
import { createDatabase } from "../../../src/database/index.ts";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../../../src/memory/procedural_memory.ts";
import { createMemoryClient } from "../../../src/memory/supabase_client.ts";
import { RedisWorkingMemory } from "../../../src/memory/working_memory.ts";
import { EnvoyRouter } from "../../../src/mlops/envoy/envoy_router.ts";
import { MLflowClient } from "../../../src/mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../../src/mlops/mlflow/mlflow_registry.ts";
import { STAGE_TAG } from "../../../src/mlops/mlflow/stage_projection.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { stopHome } from "../../../src/platform/processes/homes/stop_home.ts";
import type { GivenDeployer } from "../../support/deployer.ts";
import type { TestServices } from "../../support/services/test_services.ts";
import { FaultProxy } from "../harness/fault_proxy.ts";
import type { Observed } from "../invariants/invariants.ts";
import { servePostgrest } from "./postgrest.ts";

export const neighbours = ["postgres", "mlflow", "redis", "supabase", "router"] as const;
export type Neighbour = (typeof neighbours)[number];

/** One real neighbour of a deployer whose other parts are in memory. */
export interface Neighbourhood {
  proxy: FaultProxy;
  /** The part itself, past the proxy. */
  direct: Partial<Parts>;
  /** The same part, reached through the proxy. */
  exposed: Partial<Parts>;
  /** How another process reaches it through the proxy, where it is an Envoy. */
  envoy?: { home: string; envoy_path: string };
  /** How the part is looked at afterwards. */
  observed: Partial<Observed>;
  close(): Promise<void>;
}

type Open = (given: GivenDeployer, services: TestServices) => Promise<Neighbourhood>;

export const openNeighbourhood: Readonly<Record<Neighbour, Open>> = {
  postgres: openPostgres,
  mlflow: openMlflow,
  redis: openRedis,
  supabase: openSupabase,
  router: openRouter,
};

async function openPostgres(given: GivenDeployer): Promise<Neighbourhood> {
  const { proxy, url } = await FaultProxy.beforeUrl(given.world.url);
  const database = createDatabase({ url, holder: `exposed-${randomUUID()}` });
  return {
    proxy,
    direct: {},
    exposed: { database },
    observed: {},
    close: () => closeAll([() => proxy.close(), () => database.close()]),
  };
}

async function openMlflow(
  _given: GivenDeployer,
  { mlflow: { mlflowUrl, mlflowAuth: auth } }: TestServices,
): Promise<Neighbourhood> {
  const { proxy, url } = await FaultProxy.beforeUrl(mlflowUrl);
  const artifactDirectory = await mkdtemp(join(tmpdir(), "faults-mlflow-"));
  const client = new MLflowClient({ trackingUri: mlflowUrl, auth });
  const exposed = new MLflowClient({ trackingUri: url, auth });
  const registryOver = (one: MLflowClient) => new MLflowRegistry({ client: one, artifactDirectory });
  return {
    proxy,
    direct: { registry: registryOver(client) },
    exposed: { registry: registryOver(exposed) },
    observed: {
      registry: {
        projectionOf: async (name, version) => {
          const { tags, aliases } = await client.getModelVersion(name, version, AbortSignal.timeout(10_000));
          return { stage: tags.find(({ key }) => key === STAGE_TAG)?.value ?? null, aliases };
        },
      },
    },
    close: () =>
      closeAll([
        () => proxy.close(),
        () => client.close(),
        () => exposed.close(),
        () => rm(artifactDirectory, { recursive: true, force: true }),
      ]),
  };
}

async function openRedis(_given: GivenDeployer, { redisUrl }: TestServices): Promise<Neighbourhood> {
  const { proxy, url } = await FaultProxy.beforeUrl(redisUrl);
  const workingMemory = new RedisWorkingMemory({ redisUrl: url });
  return {
    proxy,
    direct: {},
    exposed: { workingMemory },
    observed: {},
    close: () => closeAll([() => proxy.close(), () => workingMemory.close()]),
  };
}

/** Holds what the memory in memory holds already. */
async function openSupabase({ world, episodicMemory }: GivenDeployer): Promise<Neighbourhood> {
  await migrateMemory(world.url, { signal: AbortSignal.timeout(30_000) });
  const postgrest = await servePostgrest(world.url);
  const { proxy, url } = await FaultProxy.beforeUrl(postgrest.url);
  const memoriesAt = (supabaseUrl: string) => {
    const client = createMemoryClient({ supabaseUrl, supabaseKey: postgrest.key, databaseUrl: world.url });
    return {
      episodicMemory: new SupabaseEpisodicMemory(client),
      proceduralMemory: new SupabaseProceduralMemory(client),
    };
  };
  const direct = memoriesAt(postgrest.url);
  for (const episode of episodicMemory.episodes) {
    await direct.episodicMemory.store(episode, { signal: AbortSignal.timeout(10_000) });
  }
  const held = "select dedupe_key from episodic_memories";
  return {
    proxy,
    direct,
    exposed: memoriesAt(url),
    observed: { episodes: async () => (await world.sql(held)).map((row) => String(row["dedupe_key"])) },
    close: () => closeAll([() => proxy.close(), () => postgrest.close()]),
  };
}

/** A real Envoy, brought to where the router in memory stands; the proxy takes the place of its admin socket. */
async function openRouter(given: GivenDeployer, { cacheDirectory }: TestServices): Promise<Neighbourhood> {
  const { envoy: envoyPath } = await ensureToolsEnvironment({ cacheDirectory });
  // Socket paths are short.
  const home = await mkdtemp(join(tmpdir(), "fr-"));
  const [endpoint] = await given.db.endpoints.list();
  const name = endpoint?.endpoint_name ?? "";
  const direct = new EnvoyRouter({ home, envoyPath });
  const signal = AbortSignal.timeout(30_000);
  const { endpoint_url } = await direct.open(name, { signal });
  await given.world.sql("update ml_endpoints set endpoint_url = $1", [endpoint_url]);
  if (endpoint !== undefined) {
    const { endpoint_name, generation, weights, mirror_deployment_id } = endpoint;
    const ids = [...Object.keys(weights), mirror_deployment_id].filter((id) => id !== null);
    const servers = ids.map((id) => given.router.serverOf(name, id)).filter((server) => server !== null);
    await direct.apply({ endpoint_name, generation, weights, mirror_deployment_id }, servers, { signal });
  }
  const socket = join(home, "router", name, "admin.sock");
  const moved = `${socket}.own`;
  await rename(socket, moved);
  const proxy = await FaultProxy.before({ path: moved }, socket);
  return {
    proxy,
    // Its connections were made before the proxy took the socket's place.
    direct: { router: direct },
    exposed: { router: new EnvoyRouter({ home, envoyPath }) },
    envoy: { home, envoy_path: envoyPath },
    observed: { router: direct, home },
    close: () =>
      closeAll([
        () => proxy.close(),
        () => stopHome(home),
        () => rm(home, { recursive: true, force: true, maxRetries: 5 }),
      ]),
  };
}

async function closeAll(steps: (() => Promise<unknown>)[]): Promise<void> {
  for (const step of steps) await step();
}
