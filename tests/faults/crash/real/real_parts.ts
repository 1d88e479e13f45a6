import { join } from "node:path";
import type { z } from "zod";
import type { Parts } from "../../../../src/agents/model_deployer/ports/parts.ts";
import { BentoMLPackager } from "../../../../src/mlops/bentoml/packaging/packager.ts";
import { BentoMLPredictionLogs } from "../../../../src/mlops/bentoml/prediction_logs.ts";
import { BentoMLServer } from "../../../../src/mlops/bentoml/server.ts";
import { EnvoyRouter } from "../../../../src/mlops/envoy/envoy_router.ts";
import { MLflowClient } from "../../../../src/mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../../../src/mlops/mlflow/mlflow_registry.ts";
import { readConfiguration } from "../../../../src/wiring/settings/configuration.ts";
import type { realToolsSchema } from "../children/protocol.ts";

export type RealTools = z.infer<typeof realToolsSchema>;

/** The engine as `createModelDeployer` builds it, over a home. */
export function realEngine(
  tools: RealTools,
): Pick<Parts, "registry" | "packager" | "server" | "router" | "predictionLogs"> {
  const { home, cache, mlflow, bentoml, uv, envoy } = tools;
  const { mlflowUrl, mlflowAuth: auth } = readConfiguration(mlflow);
  const bentos = join(home, "bentoml");
  const server = new BentoMLServer({
    home: bentos,
    runDirectory: join(home, "run"),
    cacheDirectory: cache,
    uv,
  });
  return {
    registry: new MLflowRegistry({
      client: new MLflowClient({ trackingUri: mlflowUrl ?? "", auth }),
      artifactDirectory: join(home, "artifacts"),
    }),
    packager: new BentoMLPackager({ home: bentos, bentoml, environments: { cacheDirectory: cache, uv } }),
    server,
    router: new EnvoyRouter({ home, envoyPath: envoy }),
    predictionLogs: new BentoMLPredictionLogs(server),
  };
}
