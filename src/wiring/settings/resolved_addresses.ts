import { DiskReserve } from "../../platform/disk/disk_reserve.ts";
import { type LocalServices, startLocalServices } from "../../platform/services/local_services.ts";
import type { Configuration } from "./configuration.ts";
import { type MLflowAccess, mlflowAccess } from "./mlflow_settings.ts";

export interface Addresses extends MLflowAccess {
  databaseUrl: string;
  databaseOwnerUrl: string;
  redisUrl: string;
}

interface BeginOptions {
  registryMayFollow?: boolean;
  /** Work that the registry waits for before it starts. */
  registryAfter?: Promise<unknown>;
  onProgress?: (line: string) => void;
  onBegun?: (service: string) => void;
}

/** A service without an address is brought up in the home. */
export async function resolveAddresses(
  configuration: Configuration,
  options: BeginOptions,
): Promise<Addresses> {
  const { databaseUrl, databaseOwnerUrl, redisUrl, mlflowUrl, home, cache } = configuration;
  const need = { postgres: databaseUrl === null, redis: redisUrl === null, mlflow: mlflowUrl === null };
  const reserve = new DiskReserve(configuration);
  const local: Partial<LocalServices> =
    need.postgres || need.redis || need.mlflow
      ? await startLocalServices({
          homeDirectory: home,
          cacheDirectory: cache,
          need,
          makeRoom: () => reserve.release(),
          ...(options.registryMayFollow === true && { mayFollow: ["mlflow"] }),
          ...(options.registryAfter && { after: options.registryAfter }),
          ...(options.onProgress && { onProgress: options.onProgress }),
          ...(options.onBegun && { onBegun: options.onBegun }),
        })
      : {};
  return {
    databaseUrl: databaseUrl ?? local.databaseUrl ?? "",
    databaseOwnerUrl: databaseOwnerUrl ?? databaseUrl ?? local.databaseOwnerUrl ?? "",
    redisUrl: redisUrl ?? local.redisUrl ?? "",
    ...mlflowAccess(configuration, local),
  };
}
