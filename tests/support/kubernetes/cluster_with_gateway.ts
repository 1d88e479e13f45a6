import type { ServerAddress } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import {
  GatewayRouter,
  type GatewayRouterOptions,
} from "../../../src/mlops/kubernetes/gateway/gateway_router.ts";
import { ClusterServers } from "../../../src/mlops/kubernetes/server/cluster_servers.ts";
import { type ClusterWithServers, openCluster, running, serverSettings } from "./cluster_with_servers.ts";
import type { PodBehaviour, StandInPod } from "./api_server/node_agent.ts";
import { GATEWAY, StandInGateway } from "./stand_in_gateway.ts";

export interface ClusterWithGateway extends ClusterWithServers {
  gateway: StandInGateway;
  router: GatewayRouter;
  /** Another process of the same deployer. */
  anotherRouter: (options?: Partial<GatewayRouterOptions>) => GatewayRouter;
  /** A server that answers every prediction with this status. */
  startServer: (deploymentId: string, status: number) => Promise<ServerAddress>;
  /** Sends requests to an endpoint through the gateway, and tells their statuses. */
  send: (endpointName: string, count: number) => Promise<number[]>;
}

const ENVOY_IMAGE = "registry.example.org/envoy:v1.40.0";
const tagOf = (status: number) => `e2i_classifier:status${status}`;
const statuses = [200, 500];
const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

/** A stand-in cluster with a gateway, and servers of two bentos, or of any, that count as a bento's server does. */
export async function openClusterWithGateway(tags?: "any"): Promise<ClusterWithGateway> {
  const counting = new Map<string, Counting>();
  const usual = (tag: string, pod: StandInPod) => countingPod(tag, 200, pod, counting);
  const here = await openCluster(tags ?? statuses.map(tagOf), usual);
  for (const status of statuses) {
    here.behaviours.set(tagOf(status), (pod) => countingPod(tagOf(status), status, pod, counting));
  }
  here.behaviours.set(ENVOY_IMAGE, { becomes: "running", answer: () => ({ status: 503, body: "" }) });
  const gateway = new StandInGateway(here.cluster);
  const { client } = here;
  const { namespace } = here.cluster;
  const anotherRouter = (options: Partial<GatewayRouterOptions> = {}) =>
    new GatewayRouter({
      ...{ client, namespace, gateway: GATEWAY, installation: serverSettings.installation },
      servers: new ClusterServers(client, namespace, serverSettings, 0),
      address: "https://{endpoint}.models.example.org",
      ...{ image: ENVOY_IMAGE, pullSecret: null },
      answerSeconds: 15,
      freshMs: 0,
      acknowledgement: { deadlineMs: 120_000, pollMs: 5 },
      ...options,
    });
  return {
    ...here,
    gateway,
    router: anotherRouter(),
    anotherRouter,
    startServer: async (deployment_id, status) => {
      const input = { deployment_id, bento_tag: tagOf(status), resources };
      const { host, port } = await here.server.start(input, { signal: AbortSignal.timeout(300_000) });
      return { deployment_id, host, port };
    },
    send: async (endpointName, count) => {
      const answered: number[] = [];
      for (let sent = 0; sent < count; sent += 1) {
        answered.push(await gateway.send(hostOf(endpointName), "/predict"));
      }
      return answered;
    },
  };
}

const hostOf = (endpointName: string) => `${endpointName.replaceAll("_", "-")}.models.example.org`;

interface Counting {
  started: number;
  answered: number;
}

/** As `/metrics` of a bento's server has it, for one endpoint. */
function countingPod(
  tag: string,
  status: number,
  pod: StandInPod,
  counting: Map<string, Counting>,
): PodBehaviour {
  const usual = running(tag, pod);
  if (usual.becomes !== "running") return usual;
  const own = counting.get(pod.uid) ?? { started: counting.size + 1, answered: 0 };
  counting.set(pod.uid, own);
  const answer = (path: string, body: string) => {
    if (path === "/metrics") return { status: 200, body: metricsOf(own, status) };
    if (path !== "/predict") return usual.answer(path, body);
    own.answered += 1;
    return { status, body: "{}" };
  };
  return { becomes: "running", answer };
}

function metricsOf({ started, answered }: Counting, status: number): string {
  const named = `endpoint="/predict",http_response_code="${status}",service_name="e2i_classifier"`;
  const name = "bentoml_service_request_duration_seconds";
  return [
    "# TYPE process_start_time_seconds gauge",
    `process_start_time_seconds ${started}.5`,
    ...["0.005", "0.01", "+Inf"].map((le) => `${name}_bucket{${named},le="${le}"} ${answered}.0`),
    `${name}_count{${named}} ${answered}.0`,
    `bentoml_service_request_in_progress{endpoint="/predict",service_name="e2i_classifier"} 0.0`,
    "",
  ].join("\n");
}
