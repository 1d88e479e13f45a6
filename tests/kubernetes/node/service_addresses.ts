import { appendFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { z } from "zod";
import type { ClusterClient } from "../../../src/mlops/kubernetes/api/cluster_client.ts";
import { addAddress } from "./pod_network.ts";

export const serviceSchema = z.object({
  metadata: z.object({ name: z.string(), namespace: z.string(), uid: z.string() }),
  spec: z.object({
    clusterIP: z.string().default(""),
    selector: z.record(z.string(), z.string()).default({}),
    ports: z.array(z.object({ port: z.int(), targetPort: z.int() })).default([]),
  }),
});
type Service = z.infer<typeof serviceSchema>;

/** Pods that may get new connections. */
export type ReadyPods = (labels: Record<string, string>) => string[];

/** Takes connections at each Service's address, and hands each to one of its ready pods. */
export class ServiceAddresses {
  readonly #readyPods: ReadyPods;
  readonly #known = new Set<string>();

  constructor(readyPods: ReadyPods) {
    this.#readyPods = readyPods;
  }

  async look(api: ClusterClient, namespace: string, signal: AbortSignal): Promise<void> {
    const path = `/api/v1/namespaces/${namespace}/services`;
    for (const service of await api.list(path, "", serviceSchema, signal)) {
      const { uid, name } = service.metadata;
      const { clusterIP } = service.spec;
      if (clusterIP === "" || clusterIP === "None" || this.#known.has(uid)) continue;
      this.#known.add(uid);
      addAddress(clusterIP);
      appendFileSync("/etc/hosts", `${clusterIP} ${name}.${namespace}.svc\n`);
      for (const port of service.spec.ports) this.#listen(service, port);
    }
  }

  #listen({ spec }: Service, { port, targetPort }: { port: number; targetPort: number }): void {
    const server = createServer((caller) => {
      const pods = this.#readyPods(spec.selector);
      const pod = pods[Math.floor(Math.random() * pods.length)];
      if (pod === undefined) return void caller.resetAndDestroy();
      join(caller, connect({ host: pod, port: targetPort, noDelay: true }));
    });
    server.listen(port, spec.clusterIP);
  }
}

function join(caller: Socket, pod: Socket): void {
  caller.setNoDelay(true);
  caller.pipe(pod).pipe(caller);
  for (const [one, other] of [
    [caller, pod],
    [pod, caller],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => other.destroy());
  }
}
