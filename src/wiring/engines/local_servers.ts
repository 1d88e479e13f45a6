import { join } from "node:path";
import { BentoMLServer } from "../../mlops/bentoml/server.ts";
import type { Configuration } from "../settings/configuration.ts";

/** Servers as processes of this machine. @param uv makes the environments that are missing */
export function localServer(
  { home, cache, controlGroup, limits, serving, logs, containment, directReferences }: Configuration,
  uv: string,
  { onProgress }: { onProgress?: (line: string) => void } = {},
): BentoMLServer {
  return new BentoMLServer({
    home: join(home, "bentoml"),
    runDirectory: join(home, "run"),
    cacheDirectory: cache,
    uv,
    environmentSeconds: limits.environmentSeconds,
    startTimeoutMs: limits.startSeconds * 1000,
    limits: { ...serving, logs, containment },
    directReferences,
    ...(controlGroup !== null && { groupParent: controlGroup }),
    ...(onProgress && { onProgress }),
  });
}
