import { join } from "node:path";
import type { Configuration } from "../settings/configuration.ts";
import { BentoMLPackager } from "../../mlops/bentoml/packaging/packager.ts";
import { BentoMLPredictionLogs } from "../../mlops/bentoml/prediction_logs.ts";
import { EnvoyRouter } from "../../mlops/envoy/envoy_router.ts";
import { assertFormats, inspectLoading } from "../../mlops/loading/loading_inspector.ts";
import { MLflowClient } from "../../mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../mlops/mlflow/mlflow_registry.ts";
import { SignatureVerifier } from "../../mlops/signing/signature_verifier.ts";
import type { ToolsEnvironment } from "../../platform/python/python_environment.ts";
import { ensureSigningEnvironment } from "../../platform/python/signing_environment.ts";
import { type OutsideServers, standardOutside } from "../../mlops/envoy/clusters/outside_servers.ts";
import { localServer } from "./local_servers.ts";
import type { Ingress } from "../../agents/model_deployer/domain/ingress/ingress_policy.ts";
import type { Parts } from "../../agents/model_deployer/ports/parts.ts";

type RoutedConfiguration = Configuration & {
  makeRoom: () => boolean;
  ingressOf: (endpointName: string) => Promise<Ingress>;
};

/**
 * Registry, packager, servers and router. Where models are served differs by engine; the router runs where this process
 * does unless the engine has its own.
 */
export async function createEngine(
  configuration: RoutedConfiguration,
  mlflowUrl: string,
  tools: ToolsEnvironment,
  options: { onProgress?: (line: string) => void },
): Promise<
  Pick<
    Parts,
    | "registry"
    | "packager"
    | "server"
    | "serverUsage"
    | "rowServers"
    | "router"
    | "ingress"
    | "predictionLogs"
  >
> {
  const { home, cache, limits, containment, directReferences } = configuration;
  const packager = new BentoMLPackager({
    home: join(home, "bentoml"),
    bentoml: tools.bentoml,
    buildTimeoutMs: limits.buildSeconds * 1000,
    environments: {
      cacheDirectory: cache,
      uv: tools.uv,
      limitSeconds: limits.environmentSeconds,
      containment,
      directReferences,
    },
  });
  const served = await servedBy(configuration, packager, tools, options);
  const router = routerOf(configuration, tools);
  return {
    registry: registryOf(configuration, mlflowUrl, tools),
    router,
    // A router of the engine's own stands in its place.
    ...(served.router === undefined && { ingress: router }),
    ...served,
  };
}

function routerOf(configuration: RoutedConfiguration, tools: ToolsEnvironment): EnvoyRouter {
  const { home, bindHost, endpointHost, serving, makeRoom, ingressOf } = configuration;
  return new EnvoyRouter({
    home,
    envoyPath: tools.envoy,
    bindHost,
    ...(endpointHost !== null && { endpointHost }),
    predictionSeconds: serving.predictionSeconds,
    predictionQueue: serving.predictionQueue,
    makeRoom,
    ingressOf,
    ...outsideOf(configuration.engine),
  });
}

function registryOf(
  { home, cache, mlflowAuth, limits, formats, sigstoreTrustedRoot: trustedRoot }: Configuration,
  mlflowUrl: string,
  { uv }: ToolsEnvironment,
): MLflowRegistry {
  const { environmentSeconds: limitSeconds } = limits;
  const verifier = new SignatureVerifier({
    environment: (options) =>
      ensureSigningEnvironment({ cacheDirectory: cache, uv, limitSeconds, ...options }),
    trustedRoot,
  });
  return new MLflowRegistry({
    client: new MLflowClient({ trackingUri: mlflowUrl, ...(mlflowAuth && { auth: mlflowAuth }) }),
    artifactDirectory: join(home, "artifacts"),
    artifactSeconds: limits.fetchSeconds,
    inspect: async (folder, where, signal) => {
      const report = await inspectLoading(folder, signal);
      assertFormats(report, formats, where);
      return report;
    },
    verify: (folder, where, signers, options) => verifier.verify(folder, where, signers, options),
  });
}

type Served = Pick<Parts, "packager" | "server" | "serverUsage" | "rowServers" | "predictionLogs"> &
  Partial<Pick<Parts, "router">>;

async function servedBy(
  configuration: Configuration,
  packager: BentoMLPackager,
  tools: ToolsEnvironment,
  options: { onProgress?: (line: string) => void },
): Promise<Served> {
  const { engine } = configuration;
  switch (engine.kind) {
    case "kubernetes": {
      const { createKubernetesEngine } = await import("./kubernetes_engine.ts");
      return createKubernetesEngine(configuration, engine, { uv: tools.uv, packager });
    }
    case "bentocloud": {
      const { createBentoCloudEngine } = await import("./bentocloud_engine.ts");
      return createBentoCloudEngine(configuration, engine, { bentoml: tools.bentoml, packager });
    }
    case "local":
      return { packager, ...localServers(configuration, tools, options) };
    default:
      return engine satisfies never;
  }
}

/** Servers of BentoCloud take the same token as the platform. */
function outsideOf(engine: Configuration["engine"]): { outside?: OutsideServers } {
  return engine.kind === "bentocloud" ? { outside: { ...standardOutside, token: engine.token } } : {};
}

function localServers(
  configuration: Configuration,
  { uv }: ToolsEnvironment,
  options: { onProgress?: (line: string) => void },
): Pick<Parts, "server" | "serverUsage" | "rowServers" | "predictionLogs"> {
  const server = localServer(configuration, uv, options);
  return {
    server,
    serverUsage: server,
    rowServers: server,
    predictionLogs: new BentoMLPredictionLogs(server),
  };
}
