import { join } from "node:path";
import type { Configuration } from "../../configuration.ts";
import { BentoMLPackager } from "../../mlops/bentoml/packager.ts";
import { BentoMLPredictionLogs } from "../../mlops/bentoml/prediction_logs.ts";
import { BentoMLServer } from "../../mlops/bentoml/server.ts";
import { EnvoyRouter } from "../../mlops/envoy/envoy_router.ts";
import { MLflowClient } from "../../mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../mlops/mlflow/mlflow_registry.ts";
import type { ToolsEnvironment } from "../../platform/python_environment.ts";
import type { Parts } from "./parts.ts";

/** What serves models on this machine, and where they come from. */
export function createEngine(
  configuration: Configuration & { makeRoom: () => boolean },
  mlflowUrl: string,
  tools: ToolsEnvironment,
  { onProgress }: { onProgress?: (line: string) => void },
): Pick<Parts, "registry" | "packager" | "server" | "router" | "predictionLogs"> {
  const { home, cache, mlflowAuth, bindHost, limits, serving, logs, makeRoom } = configuration;
  const client = new MLflowClient({ trackingUri: mlflowUrl, ...(mlflowAuth && { auth: mlflowAuth }) });
  const bentos = join(home, "bentoml");
  const server = new BentoMLServer({
    home: bentos,
    runDirectory: join(home, "run"),
    cacheDirectory: cache,
    uv: tools.uv,
    environmentSeconds: limits.environmentSeconds,
    startTimeoutMs: limits.startSeconds * 1000,
    limits: { ...serving, logs },
    ...(onProgress && { onProgress }),
  });
  return {
    registry: new MLflowRegistry({ client, artifactDirectory: join(home, "artifacts") }),
    packager: new BentoMLPackager({
      home: bentos,
      bentoml: tools.bentoml,
      buildTimeoutMs: limits.buildSeconds * 1000,
    }),
    server,
    predictionLogs: new BentoMLPredictionLogs(server),
    router: new EnvoyRouter({
      home,
      envoyPath: tools.envoy,
      bindHost,
      predictionSeconds: serving.predictionSeconds,
      makeRoom,
    }),
  };
}
