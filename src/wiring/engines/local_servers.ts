import { join } from "node:path";
import { BentoMLServer } from "../../mlops/bentoml/server.ts";
import { DiskReserve } from "../../platform/disk/disk_reserve.ts";
import type { Configuration } from "../settings/configuration.ts";

/** Servers as processes of this machine. @param uv makes the environments that are missing */
export function localServer(
  configuration: Configuration,
  uv: string,
  { onProgress }: { onProgress?: (line: string) => void } = {},
): BentoMLServer {
  const { home, cache, controlGroup, limits, serving, logs, containment, directReferences } = configuration;
  const reserve = new DiskReserve(configuration);
  return new BentoMLServer({
    home: join(home, "bentoml"),
    runDirectory: join(home, "run"),
    cacheDirectory: cache,
    uv,
    environmentSeconds: limits.environmentSeconds,
    startTimeoutMs: limits.startSeconds * 1000,
    limits: { ...serving, logs, containment },
    directReferences,
    makeRoom: () => reserve.release(),
    ...(controlGroup !== null && { groupParent: controlGroup }),
    ...(onProgress && { onProgress }),
  });
}
