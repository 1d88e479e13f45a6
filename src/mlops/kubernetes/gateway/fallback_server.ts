import { setTimeout as delay } from "node:timers/promises";
import { ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { SERVICE } from "../api/cluster_errors.ts";
import { anyObjectSchema, deploymentSchema } from "../server/observed_objects.ts";
import { MANAGER, MARKS, objectName } from "../server/object_names.ts";
import { confined, unprivileged, SERVED_PORT } from "../server/server_pod.ts";

const NOBODY = "nobody";

export interface FallbackServerOptions {
  client: ClusterClient;
  namespace: string;
  installation: string;
  /** An image with Envoy. */
  image: string;
  pullSecret: string | null;
}

/**
 * A server that answers 503 for endpoints without a deployment. A gateway mirrors only requests that some server
 * answers, so the shadow of a first version needs it. While it has no pods, the gateway answers 503 itself.
 */
export class FallbackServer {
  readonly name: string;
  readonly #options: FallbackServerOptions;

  constructor(options: FallbackServerOptions) {
    this.#options = options;
    this.name = objectName(options.installation, NOBODY);
  }

  /** Makes the Service that endpoints lead to. */
  async address(signal: AbortSignal): Promise<void> {
    const { client, namespace } = this.#options;
    const service = {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: this.name, labels: this.#labels() } },
      spec: {
        selector: this.#labels(),
        ports: [{ name: "http", port: SERVED_PORT, targetPort: SERVED_PORT, protocol: "TCP" }],
      },
    };
    await client.create(`/api/v1/namespaces/${namespace}/services`, service, anyObjectSchema, signal);
  }

  /** Makes the pods where they are missing, and waits until one answers. */
  async answering(
    { deadlineMs, pollMs }: { deadlineMs: number; pollMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { client, namespace } = this.#options;
    const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
    for (const began = performance.now(); performance.now() - began < deadlineMs;) {
      const found = await client.get(`${path}/${this.name}`, deploymentSchema, signal);
      if (found === null) {
        await client.create(path, this.#deployment(), anyObjectSchema, signal);
        continue;
      }
      if (found.status.availableReplicas > 0) return;
      await delay(pollMs, undefined, { signal });
    }
    throw new ServiceUnavailableError(
      SERVICE,
      `no pod of Deployment ${this.name}, which answers for endpoints that have no deployment, was ready within ${deadlineMs / 1000} s: \`kubectl describe\` tells why`,
    );
  }

  #labels(): Record<string, string> {
    const { installation } = this.#options;
    return { [MARKS.managedBy]: MANAGER, [MARKS.installation]: installation, [MARKS.role]: NOBODY };
  }

  #deployment(): object {
    const { image, pullSecret } = this.#options;
    const labels = this.#labels();
    return {
      ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: this.name, labels } },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            automountServiceAccountToken: false,
            enableServiceLinks: false,
            ...(pullSecret !== null && { imagePullSecrets: [{ name: pullSecret }] }),
            securityContext: unprivileged,
            containers: [
              {
                ...{ name: "envoy", image, command: ["envoy"] },
                args: [
                  "--config-yaml",
                  JSON.stringify(fallbackConfig("0.0.0.0", SERVED_PORT)),
                  "--concurrency",
                  "1",
                ],
                ports: [{ name: "http", containerPort: SERVED_PORT, protocol: "TCP" }],
                readinessProbe: { httpGet: { path: "/readyz", port: SERVED_PORT }, periodSeconds: 5 },
                resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { memory: "128Mi" } },
                securityContext: confined,
              },
            ],
          },
        },
      },
    };
  }
}

const extension = "type.googleapis.com/envoy.extensions.filters";

/** An Envoy that answers 503 to everything but its own probe. */
export function fallbackConfig(address: string, port: number): object {
  const answer = (status: number, text: string) => ({ status, body: { inline_string: text } });
  const routes = [
    { match: { path: "/readyz" }, direct_response: answer(200, "ready\n") },
    { match: { prefix: "/" }, direct_response: answer(503, "no deployment serves this endpoint\n") },
  ];
  const manager = {
    "@type": `${extension}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: NOBODY,
    http_filters: [
      { name: "envoy.filters.http.router", typed_config: { "@type": `${extension}.http.router.v3.Router` } },
    ],
    route_config: { virtual_hosts: [{ name: NOBODY, domains: ["*"], routes }] },
  };
  return {
    static_resources: {
      listeners: [
        {
          name: NOBODY,
          address: { socket_address: { address, port_value: port } },
          filter_chains: [
            { filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] },
          ],
        },
      ],
    },
  };
}
