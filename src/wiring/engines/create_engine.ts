import { join } from "node:path";
import type { Configuration } from "../settings/configuration.ts";
import { BentoMLPackager } from "../../mlops/bentoml/packaging/packager.ts";
import { EnvoyRouter } from "../../mlops/envoy/envoy_router.ts";
import { assertFormats, inspectLoading } from "../../mlops/loading/loading_inspector.ts";
import { MLflowClient } from "../../mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../mlops/mlflow/mlflow_registry.ts";
import { SignatureVerifier } from "../../mlops/signing/signature_verifier.ts";
import type { ToolsEnvironment } from "../../platform/python/python_environment.ts";
import { ensureSigningEnvironment } from "../../platform/python/signing_environment.ts";
import { type OutsideServers, standardOutside } from "../../mlops/envoy/clusters/outside_servers.ts";
import type { Ingress } from "../../agents/model_deployer/domain/access/ingress_policy.ts";
import type { Deployments, Endpoints } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import type { Parts } from "../../agents/model_deployer/ports/parts.ts";
import type { MLflowAccess } from "../settings/mlflow_settings.ts";
import { installedEngines, settingsFor } from "./installed_engines.ts";
import { routersOf } from "./engine_routers.ts";
import { servedByEach } from "./served_by.ts";
import { ofEngines } from "./several_engines.ts";

type RoutedConfiguration = Configuration & {
  makeRoom: () => boolean;
  ingressOf: (endpointName: string) => Promise<Ingress>;
  database: { deployments: Pick<Deployments, "get">; endpoints: Pick<Endpoints, "get"> };
};

/**
 * Registry, packager, servers and router. Where models are served differs by engine, of which there may be several; the
 * router runs where this process does unless the engine has its own.
 */
export async function createEngine(
  configuration: RoutedConfiguration,
  mlflow: MLflowAccess,
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
  const served = await servedByEach(configuration, { packager, tools, ...options });
  const installed = installedEngines(configuration);
  const inCluster = [...served.values()].find(({ router }) => router !== undefined)?.router ?? null;
  return {
    registry: registryOf(configuration, mlflow, tools),
    ...ofEngines(served, packager, installed, configuration.database),
    ...routersOf(besideWorker(configuration, tools), inCluster, installed, configuration.database),
  };
}

function besideWorker(configuration: RoutedConfiguration, tools: ToolsEnvironment): EnvoyRouter {
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
    ...outsideOf(configuration),
  });
}

function registryOf(
  { home, cache, limits, formats, sigstoreTrustedRoot: trustedRoot }: Configuration,
  { mlflowUrl, mlflowAuth }: MLflowAccess,
  { uv }: ToolsEnvironment,
): MLflowRegistry {
  const { environmentSeconds: limitSeconds } = limits;
  const verifier = new SignatureVerifier({
    environment: (options) =>
      ensureSigningEnvironment({ cacheDirectory: cache, uv, limitSeconds, ...options }),
    trustedRoot,
  });
  return new MLflowRegistry({
    client: new MLflowClient({ trackingUri: mlflowUrl, auth: mlflowAuth }),
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

/** Servers of BentoCloud take the same token as the platform. */
function outsideOf(configuration: Configuration): { outside?: OutsideServers } {
  const cloud = settingsFor("bentocloud", configuration);
  return cloud === null ? {} : { outside: { ...standardOutside, token: cloud.token } };
}
