import { FleetRouter } from "../../../src/mlops/envoy/fleet/fleet_router.ts";
import { ClusterClient } from "../../../src/mlops/kubernetes/api/cluster_client.ts";
import { ClusterEnvoys } from "../../../src/mlops/kubernetes/router/cluster_envoys.ts";
import {
  ADMIN_SOCKET,
  FILE_NAMES,
  FILES_FOLDER,
  ROUTER_PORTS,
  type RouterSettings,
} from "../../../src/mlops/kubernetes/router/router_objects.ts";

export const routerSettings: RouterSettings = {
  installation: "test",
  image: "registry.example.org/envoy:v1.40.0",
  replicas: 2,
  startSeconds: 300,
  graceSeconds: 16,
  controlPlane: null,
  pullSecret: null,
};

interface Cluster {
  address: string;
  token: string;
  namespace: string;
}

/** A router of this API server, as any process of the deployer has it. */
export function clusterRouter(
  cluster: Cluster,
  settings: Partial<RouterSettings> = {},
): { router: FleetRouter; client: ClusterClient } {
  const { fleet, client } = clusterEnvoys(cluster, settings);
  const places = {
    // Pods of the stand-in have an address of their own, and no network.
    host: "$(POD_IP)",
    port: ROUTER_PORTS.callers,
    readings_port: ROUTER_PORTS.readings,
    admin_socket: ADMIN_SOCKET,
    folder: FILES_FOLDER,
    clusters_file: `${FILES_FOLDER}/${FILE_NAMES.clusters}`,
    routes_file: `${FILES_FOLDER}/${FILE_NAMES.routes}`,
  };
  const acknowledgement = { deadlineMs: 120_000, pollMs: 20 };
  // What a server holds back is held for as long as a slow machine takes, and not given up meanwhile.
  return { router: new FleetRouter({ fleet, places, acknowledgement, predictionSeconds: 300 }), client };
}

/** The Envoys of the cluster alone. */
export function clusterEnvoys(
  { address, token, namespace }: Cluster,
  settings: Partial<RouterSettings> = {},
): { fleet: ClusterEnvoys; client: ClusterClient } {
  const client = new ClusterClient({
    server: address,
    certificateAuthority: null,
    serverName: null,
    clientCertificate: null,
    namespace: null,
    bearerToken: () => Promise.resolve(token),
  });
  const fleet = new ClusterEnvoys({
    client,
    namespace,
    settings: { ...routerSettings, ...settings },
    freshMs: 0,
    pollMs: 20,
  });
  return { fleet, client };
}
