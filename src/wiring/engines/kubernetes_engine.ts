import { join } from "node:path";
import type { LoggedPrediction } from "../../agents/model_deployer/ports/evidence/prediction_logs_port.ts";
import type { ModelPackager } from "../../agents/model_deployer/ports/model_packager_port.ts";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import type { Parts } from "../../agents/model_deployer/ports/parts.ts";
import { lastErrorLine } from "../../mlops/bentoml/log_errors.ts";
import { wholeBento } from "../../mlops/bentoml/packaging/whole_bento.ts";
import { predictionIn } from "../../mlops/bentoml/prediction_logs.ts";
import { ServerProbe } from "../../mlops/bentoml/servers/server_probe.ts";
import { EnvironmentLayers, installByUv } from "../../mlops/images/environment_layer.ts";
import { type BentoImages, ImagePackager } from "../../mlops/images/image_packager.ts";
import { ImagePublisher } from "../../mlops/images/image_publisher.ts";
import { OwnImages } from "../../mlops/images/own_images.ts";
import { RegistryClient } from "../../mlops/images/registry_client.ts";
import { registryCredentials } from "../../mlops/images/registry_credentials.ts";
import { readClusterAccess } from "../../mlops/kubernetes/api/cluster_access.ts";
import { ClusterClient } from "../../mlops/kubernetes/api/cluster_client.ts";
import { KubernetesServer, type ServedImages } from "../../mlops/kubernetes/server/kubernetes_server.ts";
import { PodPredictionLogs } from "../../mlops/kubernetes/server/pod_prediction_logs.ts";
import { IMAGE_PATHS } from "../../mlops/kubernetes/server/server_pod.ts";
import type { TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import { createClusterRouter } from "./cluster_router.ts";
import { serverSettings } from "./server_settings.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { KubernetesSettings } from "../settings/engine_settings.ts";

/**
 * Servers in a cluster, their routers where they are in it too, and a packager whose bentos are ready when their images
 * are in the registry.
 */
export async function createKubernetesEngine(
  configuration: Configuration,
  settings: KubernetesSettings,
  {
    uv,
    packager,
  }: { uv: string; packager: Pick<ModelPackager, "packageModel" | "findPackage" | "listPackages"> },
): Promise<
  Pick<Parts, "packager" | "predictionLogs"> & { server: KubernetesServer; router?: TrafficRouter }
> {
  const images = imagesOf(configuration, settings, uv);
  const client = new ClusterClient(await readClusterAccess(settings));
  const server = kubernetesServer(client, configuration, settings, (tag, options) =>
    images.publish(tag, options),
  );
  const router = createClusterRouter(client, configuration, settings);
  const predictionLogs = new PodPredictionLogs(server, (line): LoggedPrediction[] => predictionIn(line));
  const served = { packager: new ImagePackager(packager, images), server, predictionLogs };
  return router === null ? served : { ...served, router };
}

function imagesOf(
  { home, cache, limits }: Configuration,
  { images, dockerConfig }: KubernetesSettings,
  uv: string,
): BentoImages {
  const registry = new RegistryClient((host) => registryCredentials(dockerConfig, host));
  if (images.kind === "own") return new OwnImages(registry, images.pattern);
  const limitSeconds = limits.environmentSeconds;
  return new ImagePublisher({
    registry,
    repository: images.repository,
    base: images.base,
    paths: IMAGE_PATHS,
    environments: new EnvironmentLayers({
      cacheDirectory: cache,
      limitSeconds,
      install: installByUv(uv, limitSeconds),
    }),
    bentoOf: (bentoTag) => wholeBento(join(home, "bentoml"), bentoTag),
  });
}

/** Servers in a cluster, and their routers where they are in it too, for whoever only looks at them. */
export async function observeKubernetes(
  configuration: Configuration,
  settings: KubernetesSettings,
): Promise<{ server: Pick<KubernetesServer, "observe" | "trySample">; router: TrafficRouter | null }> {
  const client = new ClusterClient(await readClusterAccess(settings));
  const server = kubernetesServer(client, configuration, settings, (bentoTag) => {
    throw new ConfigurationError(`an observer publishes no image, and was asked for that of ${bentoTag}`);
  });
  return { server, router: createClusterRouter(client, configuration, settings) };
}

function kubernetesServer(
  client: ClusterClient,
  configuration: Configuration,
  settings: KubernetesSettings,
  publish: ServedImages["publish"],
): KubernetesServer {
  return new KubernetesServer({
    client,
    namespace: settings.namespace,
    settings: serverSettings(configuration, settings),
    images: { publish },
    probeBy: (ask) => new ServerProbe(ask),
    errorIn: lastErrorLine,
  });
}
