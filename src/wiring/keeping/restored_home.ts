import { EnvoyRouter } from "../../mlops/envoy/envoy_router.ts";
import { createDatabase } from "../../database/index.ts";
import { startLocalServices } from "../../platform/services/local_services.ts";
import { restoreHome, type RestoreSummary } from "./backup_home.ts";
import type { Configuration } from "../settings/configuration.ts";

const ROUTER_MS = 5000;

interface Asked {
  file: string;
  key: string | null;
  onProgress?: (line: string) => void;
  onBegun?: (service: string) => void;
}

/** Restores into what is configured, an embedded database included, and brings it to this version. */
export async function restoreInto(configuration: Configuration, asked: Asked): Promise<RestoreSummary> {
  const { home } = configuration;
  const { file, key, ...told } = asked;
  const { url, ownerUrl } = await emptyDatabase(configuration, told);
  const router = new EnvoyRouter({ home, envoyPath: null });
  const observe = async (name: string) =>
    (await router.observe(name, { signal: AbortSignal.timeout(ROUTER_MS) }))?.generation ?? null;
  const restored = await restoreHome({ home, ownerUrl, file, key, observe });
  const database = createDatabase({ url, ownerUrl, holder: `restore:${process.pid}` });
  try {
    await database.migrate({ installation: "existing" });
  } finally {
    await database.close();
  }
  return restored;
}

/** Nothing is migrated here: the rows decide which tables there are. */
async function emptyDatabase(
  { home, cache, databaseUrl, databaseOwnerUrl }: Configuration,
  told: Pick<Asked, "onProgress" | "onBegun">,
): Promise<{ url: string; ownerUrl: string }> {
  if (databaseUrl !== null) return { url: databaseUrl, ownerUrl: databaseOwnerUrl ?? databaseUrl };
  const need = { postgres: true, redis: false, mlflow: false };
  const local = await startLocalServices({ homeDirectory: home, cacheDirectory: cache, need, ...told });
  const { databaseUrl: url = "", databaseOwnerUrl: ownerUrl = "" } = local;
  return { url, ownerUrl };
}
