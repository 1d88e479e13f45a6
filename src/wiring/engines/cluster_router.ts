import { Agent, request } from "undici";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import { answerSeconds } from "../../agents/model_deployer/ports/model_server_port.ts";
import { FleetRouter } from "../../mlops/envoy/fleet/fleet_router.ts";
import type { ClusterClient } from "../../mlops/kubernetes/api/cluster_client.ts";
import { GatewayRouter } from "../../mlops/kubernetes/gateway/gateway_router.ts";
import { ClusterServers } from "../../mlops/kubernetes/server/cluster_servers.ts";
import { ClusterEnvoys } from "../../mlops/kubernetes/router/cluster_envoys.ts";
import {
  ADMIN_SOCKET,
  FILE_NAMES,
  FILES_FOLDER,
  ROUTER_PORTS,
} from "../../mlops/kubernetes/router/router_objects.ts";
import { serverSettings } from "./server_settings.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { KubernetesSettings } from "../settings/engine_settings.ts";

/** Where an Envoy listens in its pod, and finds what it is told. */
const PLACES = {
  host: "0.0.0.0",
  port: ROUTER_PORTS.callers,
  readings_port: ROUTER_PORTS.readings,
  admin_socket: ADMIN_SOCKET,
  folder: FILES_FOLDER,
  clusters_file: `${FILES_FOLDER}/${FILE_NAMES.clusters}`,
  routes_file: `${FILES_FOLDER}/${FILE_NAMES.routes}`,
} as const;

/** Null where the routers run with the worker. */
export function createClusterRouter(
  client: ClusterClient,
  configuration: Pick<Configuration, "limits" | "serving" | "logs">,
  settings: KubernetesSettings,
): TrafficRouter | null {
  const { router, namespace, installation, controlPlane, pullSecret, kubeconfig } = settings;
  if (router.kind === "worker") return null;
  const { limits, serving } = configuration;
  const { predictionSeconds, predictionQueue } = serving;
  if (router.kind === "gateway") {
    const { address, image, ...gateway } = router;
    return new GatewayRouter({
      ...{ client, namespace, installation, gateway, address, image, pullSecret },
      servers: new ClusterServers(client, namespace, serverSettings(configuration, settings)),
      answerSeconds: answerSeconds(predictionSeconds),
      ...(kubeconfig === null && { askPod: askInPod() }),
    });
  }
  const fleet = new ClusterEnvoys({
    client,
    namespace,
    settings: {
      installation,
      image: router.image,
      replicas: router.replicas,
      startSeconds: limits.startSeconds,
      graceSeconds: answerSeconds(predictionSeconds) + 1,
      controlPlane,
      pullSecret,
    },
    ...(kubeconfig === null && { askPod: askInPod() }),
  });
  return new FleetRouter({ fleet, places: PLACES, predictionSeconds, predictionQueue });
}

const POD_TIMEOUT_MS = 5_000;

/** Asks a pod at its address, for a process that is a pod itself: the API server has no part in it. */
function askInPod(): (host: string, port: number, path: string, signal: AbortSignal) => Promise<string> {
  const dispatcher = new Agent({ connections: 4, connect: { timeout: POD_TIMEOUT_MS } });
  return async (host, port, path, signal) => {
    const address = `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(POD_TIMEOUT_MS)]);
    try {
      const answer = await request(`${address}${path}`, { dispatcher, signal: bounded });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return text;
      throw new ServiceUnavailableError("kubernetes", `${address}${path} answered ${answer.statusCode}`);
    } catch (cause) {
      if (cause instanceof ServiceUnavailableError) throw cause;
      throw new ServiceUnavailableError("kubernetes", `the pod at ${address} does not answer`, { cause });
    }
  };
}
