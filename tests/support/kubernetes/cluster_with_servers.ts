import { createHash } from "node:crypto";
import { EndpointCreationError } from "../../../src/agents/model_deployer/errors.ts";
import { lastErrorLine } from "../../../src/mlops/bentoml/log_errors.ts";
import { ServerProbe } from "../../../src/mlops/bentoml/servers/server_probe.ts";
import { ClusterClient } from "../../../src/mlops/kubernetes/api/cluster_client.ts";
import {
  KubernetesServer,
  type KubernetesServerOptions,
} from "../../../src/mlops/kubernetes/server/kubernetes_server.ts";
import type { PodBehaviour, StandInPod } from "./api_server/node_agent.ts";
import { StandInCluster } from "./api_server/stand_in_cluster.ts";

/** What becomes of the pods of one bento; it runs unless a test says otherwise. */
type Behaviours = Map<string, PodBehaviour | ((pod: StandInPod) => PodBehaviour)>;

export interface ClusterWithServers {
  cluster: StandInCluster;
  client: ClusterClient;
  server: KubernetesServer;
  behaviours: Behaviours;
  /** The image that serves a bento. */
  imageOf(tag: string): string;
  /** Another process of the same deployer. */
  another(options?: Partial<KubernetesServerOptions>): KubernetesServer;
  close(): Promise<void>;
}

export const serverSettings = {
  installation: "test",
  startSeconds: 300,
  graceSeconds: 16,
  pullSecret: null,
  controlPlane: null,
  gatewayPods: null,
  drainDelaySeconds: 0,
  environment: {},
};

const digestOf = (tag: string) => createHash("sha256").update(tag).digest("hex");
const imageOf = (tag: string) => `registry.example.org/models@sha256:${digestOf(tag)}`;

/** A stand-in cluster that serves bentos of these tags, or of any, and a server that speaks to it. */
export async function openCluster(
  tags: readonly string[] | "any",
  usual: (tag: string, pod: StandInPod) => PodBehaviour = running,
): Promise<ClusterWithServers> {
  const behaviours: Behaviours = new Map();
  const byImage = new Map((tags === "any" ? [] : tags).map((tag) => [imageOf(tag), tag]));
  const publish = async (tag: string): Promise<string> => {
    if (tags === "any") byImage.set(imageOf(tag), tag);
    return publishOf([...byImage.values()], tag);
  };
  const cluster = await StandInCluster.start((pod) => {
    const tag = byImage.get(pod.image) ?? (behaviours.has(pod.image) ? pod.image : undefined);
    if (tag === undefined) {
      return {
        becomes: "waiting",
        reason: "ImagePullBackOff",
        message: `Back-off pulling image "${pod.image}"`,
      };
    }
    const behaviour = behaviours.get(tag) ?? ((one: StandInPod) => usual(tag, one));
    return typeof behaviour === "function" ? behaviour(pod) : behaviour;
  });
  const client = clientOf(cluster);
  const another = (options: Partial<KubernetesServerOptions> = {}) =>
    new KubernetesServer({
      client,
      namespace: cluster.namespace,
      settings: serverSettings,
      images: { publish },
      probeBy: (ask) => new ServerProbe(ask),
      errorIn: lastErrorLine,
      freshMs: 0,
      pollMs: 5,
      ...options,
    });
  const close = async () => {
    await client.close();
    await cluster.close();
  };
  return { cluster, client, server: another(), behaviours, imageOf, another, close };
}

function clientOf(cluster: StandInCluster): ClusterClient {
  return new ClusterClient({
    server: cluster.address,
    certificateAuthority: null,
    serverName: null,
    clientCertificate: null,
    namespace: null,
    bearerToken: () => Promise.resolve(cluster.token),
  });
}

async function publishOf(tags: readonly string[], tag: string): Promise<string> {
  if (tag.includes("changed")) {
    throw new EndpointCreationError(
      `bento ${tag} was changed: its model has the digest b, and was built from a`,
    );
  }
  if (tags.includes(tag)) return imageOf(tag);
  throw new EndpointCreationError(`bento ${tag} is not in the store: package the model first`);
}

/** A pod that answers as the bento's server does. */
export function running(tag: string, { environment }: StandInPod): PodBehaviour {
  const predictions = { threads: 1, under_way: 0, waiting: 0, hung: 0, oldest_seconds: 0 };
  const deployment_id = environment["MODEL_DEPLOYER_DEPLOYMENT_ID"] ?? null;
  const answers: Record<string, object> = {
    "/health": { bento_tag: tag, deployment_id, ready: true, predictions },
    "/sample": { sample: { inputs: [[1]] }, source: "input_example" },
    "/invocations": { predictions: [1] },
  };
  const answer = (path: string) => {
    const body = answers[path];
    return body === undefined
      ? { status: 404, body: "Not Found" }
      : { status: 200, body: JSON.stringify(body) };
  };
  return { becomes: "running", answer };
}
