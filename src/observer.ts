import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import type { EpisodicMemory, ModelServer, TrafficRouter } from "./agents/model_deployer/ports.ts";
import type { Configuration } from "./configuration.ts";
import { createDatabase, type DeployerDatabase } from "./database/index.ts";
import { SupabaseEpisodicMemory } from "./memory/episodic_memory.ts";
import { createMemoryClient } from "./memory/supabase_client.ts";
import { BentoMLServer } from "./mlops/bentoml/server.ts";
import { EnvoyRouter } from "./mlops/envoy/envoy_router.ts";
import { roomOf, shortages } from "./platform/disk_room.ts";
import { startLocalServices } from "./platform/local_services.ts";

export interface Observer {
  database: DeployerDatabase;
  server: Pick<ModelServer, "observe">;
  router: Pick<TrafficRouter, "observe">;
  episodicMemory: Pick<EpisodicMemory, "recent">;
  /** Sentences about disks that are nearly full. */
  shortages(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * What it takes to look and to decide, without what it takes to act: no Python environment is made and neither Redis nor
 * MLflow is brought up. An embedded Postgres is, where no address of one is configured.
 * @throws ConfigurationError | ServiceUnavailableError
 */
export async function openObserver(
  configuration: Configuration,
  options: { onProgress?: (line: string) => void } = {},
): Promise<Observer> {
  const { home, cache, lowDiskBytes, supabaseUrl, supabaseKey } = configuration;
  const databaseUrl = configuration.databaseUrl ?? (await embeddedPostgres(configuration, options));
  const holder = `${hostname()}:${process.pid}:${randomUUID()}`;
  const database = createDatabase({ url: databaseUrl, holder, pool: { maximumConnections: 4 } });
  await database.migrate({ installation: "existing" });
  const memory = createMemoryClient({
    databaseUrl,
    supabaseUrl: supabaseUrl ?? undefined,
    supabaseKey: supabaseKey ?? undefined,
  });
  const bentos = join(home, "bentoml");
  return {
    database,
    server: new BentoMLServer({
      home: bentos,
      runDirectory: join(home, "run"),
      cacheDirectory: cache,
      uv: "uv",
    }),
    router: new EnvoyRouter({ home, envoyPath: "envoy" }),
    episodicMemory: new SupabaseEpisodicMemory(memory),
    shortages: async () => shortages(await roomOf([home, cache]), lowDiskBytes),
    close: async () => {
      await memory.close();
      await database.close();
    },
  };
}

async function embeddedPostgres(
  { home, cache }: Configuration,
  options: { onProgress?: (line: string) => void },
): Promise<string> {
  const need = { postgres: true, redis: false, mlflow: false };
  const { databaseUrl } = await startLocalServices({
    homeDirectory: home,
    cacheDirectory: cache,
    need,
    ...options,
  });
  return databaseUrl ?? "";
}
