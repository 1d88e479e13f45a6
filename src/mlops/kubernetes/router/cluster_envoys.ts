import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { anyObjectSchema, deploymentSchema } from "../server/observed_objects.ts";
import { MARKS } from "../server/object_names.ts";
import type { KubernetesObject } from "../server/server_objects.ts";
import { EnvoyPods, type EnvoyPodsOptions, isReady, reasonsOf } from "./envoy_pods.ts";
import {
  endpointObjectName,
  FILE_NAMES,
  routerCompanions,
  routerDeployment,
  routerFiles,
  type RouterSettings,
} from "./router_objects.ts";

export interface ClusterEnvoysOptions extends EnvoyPodsOptions {
  settings: RouterSettings;
  pollMs?: number;
}

interface RunningEnvoy {
  run: string;
  ask(path: string, signal: AbortSignal): Promise<string>;
  complaint(signal: AbortSignal): Promise<string>;
}

type AnyMetadata = z.infer<typeof anyObjectSchema>["metadata"];

interface Files {
  version: string;
  claimed: number;
  clusters: string;
  routes: string;
  note: string;
}

const groups = {
  configmaps: "/api/v1",
  services: "/api/v1",
  deployments: "/apis/apps/v1",
  poddisruptionbudgets: "/apis/policy/v1",
  networkpolicies: "/apis/networking.k8s.io/v1",
} as const;

const filesSchema = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    annotations: z.looseObject({
      [MARKS.claimed]: z.coerce.number().int().default(0),
      [MARKS.figures]: z.string().default(""),
    }),
  }),
  // Somebody may have taken one away.
  data: z
    .object({ [FILE_NAMES.clusters]: z.string().default(""), [FILE_NAMES.routes]: z.string().default("") })
    .prefault({}),
});

/**
 * The Envoys of endpoints as Deployments of a namespace. Their files are a ConfigMap, which a node hands to its pods at
 * once where something of the pod changes, and in its own time otherwise.
 */
export class ClusterEnvoys {
  readonly #options: ClusterEnvoysOptions;
  readonly #client: ClusterClient;
  readonly #pods: EnvoyPods;

  constructor(options: ClusterEnvoysOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#pods = new EnvoyPods(options, options.settings.installation);
  }

  async open(
    endpoint: { endpoint_name: string; bootstrap: string; clusters: string; routes: string },
    signal: AbortSignal,
  ): Promise<{ endpoint_url: string }> {
    const { settings, namespace } = this.#options;
    const name = this.#nameOf(endpoint.endpoint_name);
    const files = routerFiles(name, endpoint, settings);
    const made = await this.#client.create(this.#path("configmaps"), files, anyObjectSchema, signal);
    if (made === null) await this.#requireOwn("configmaps", name, endpoint.endpoint_name, signal);
    await this.#deploy(routerDeployment(name, endpoint, settings), signal);
    const companions = routerCompanions(name, endpoint.endpoint_name, settings);
    await Promise.all(
      companions.map(async ({ plural, object }) => {
        const found = await this.#client.create(this.#path(plural), object, anyObjectSchema, signal);
        if (found === null) await this.#requireOwn(plural, name, endpoint.endpoint_name, signal);
      }),
    );
    await this.#untilReady(endpoint.endpoint_name, name, signal);
    return { endpoint_url: `http://${name}.${namespace}.svc` };
  }

  async envoys(endpointName: string, signal: AbortSignal): Promise<RunningEnvoy[]> {
    const pods = await this.#pods.of(this.#nameOf(endpointName), signal);
    return pods.filter(isReady).map((pod) => ({
      run: `${pod.metadata.uid}/${pod.status.containerStatuses[0]?.restartCount ?? 0}`,
      ask: (path, asked) => this.#pods.ask(pod, path, asked),
      complaint: (asked) => this.#pods.lastLine(pod, asked),
    }));
  }

  async files(endpointName: string, signal: AbortSignal): Promise<Files | null> {
    const path = `${this.#path("configmaps")}/${this.#nameOf(endpointName)}`;
    const found = await this.#client.get(path, filesSchema, signal);
    if (found === null) return null;
    const { resourceVersion: version, annotations } = found.metadata;
    return {
      version,
      claimed: annotations[MARKS.claimed],
      note: annotations[MARKS.figures],
      clusters: found.data[FILE_NAMES.clusters],
      routes: found.data[FILE_NAMES.routes],
    };
  }

  async write(
    endpointName: string,
    seen: Files,
    change: Partial<Omit<Files, "version">>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const name = this.#nameOf(endpointName);
    const { claimed, note, clusters, routes } = change;
    const annotations = {
      ...(claimed !== undefined && { [MARKS.claimed]: String(claimed) }),
      ...(note !== undefined && { [MARKS.figures]: note }),
    };
    const data = {
      ...(clusters !== undefined && { [FILE_NAMES.clusters]: clusters }),
      ...(routes !== undefined && { [FILE_NAMES.routes]: routes }),
    };
    const body = { metadata: { resourceVersion: seen.version, annotations }, data };
    const path = `${this.#path("configmaps")}/${name}`;
    const written = await this.#client.merge(path, body, anyObjectSchema, signal);
    if (written === null) return false;
    if (Object.keys(data).length > 0) await this.#pods.tell(name, written.metadata.resourceVersion, signal);
    return true;
  }

  async close(endpointName: string, signal: AbortSignal): Promise<void> {
    const name = this.#nameOf(endpointName);
    const path = `${this.#path("deployments")}/${name}`;
    const found = await this.#client.get(path, anyObjectSchema, signal);
    if (found !== null) await this.#client.remove(path, found.metadata.uid, signal);
    for (;;) {
      this.#pods.forget();
      if ((await this.#pods.of(name, signal)).length === 0) return;
      await delay(this.#pollMs, undefined, { signal });
    }
  }

  /** Made where it is missing; one that runs something else is brought to what is wanted, pod by pod. */
  async #deploy(object: KubernetesObject, signal: AbortSignal): Promise<void> {
    const path = this.#path("deployments");
    const wanted = z.object({ annotations: z.record(z.string(), z.string()) }).parse(object.metadata);
    for (;;) {
      if ((await this.#client.create(path, object, anyObjectSchema, signal)) !== null) return;
      const own = `${path}/${object.metadata.name}`;
      const present = await this.#client.get(own, anyObjectSchema, signal);
      if (present === null || present.metadata.deletionTimestamp !== null) {
        await delay(this.#pollMs, undefined, { signal });
        continue;
      }
      const { annotations, resourceVersion } = present.metadata;
      this.#refuseOthers(present.metadata, wanted.annotations[MARKS.endpointName] ?? "", "deployments");
      if (annotations[MARKS.specification] === wanted.annotations[MARKS.specification]) return;
      const { template } = z.object({ template: z.unknown() }).parse(object.spec);
      const change = {
        metadata: { resourceVersion, annotations: wanted.annotations },
        spec: { template },
      };
      if ((await this.#client.merge(own, change, anyObjectSchema, signal)) !== null) return;
    }
  }

  /** An object that was there already: nothing where it has gone meanwhile, which the next opening makes anew. */
  async #requireOwn(plural: string, name: string, endpointName: string, signal: AbortSignal): Promise<void> {
    const present = await this.#client.get(`${this.#path(plural)}/${name}`, anyObjectSchema, signal);
    if (present !== null) this.#refuseOthers(present.metadata, endpointName, plural);
  }

  /** Somebody else's object, or one of another endpoint whose name comes out the same: its callers would get mixed up. */
  #refuseOthers({ name, annotations }: AnyMetadata, endpointName: string, plural: string): void {
    const owner = annotations[MARKS.endpointName];
    if (owner === endpointName) return;
    const { namespace } = this.#options;
    const whose =
      owner === undefined
        ? "that is none of this deployer's: rename or delete it"
        : `of endpoint ${owner}, whose name comes out the same as that of ${endpointName}: give the new experiment another id`;
    throw new EndpointCreationError(`namespace ${namespace} has ${name} (${plural}) ${whose}`, {
      details: { endpoint_name: endpointName, object: name, owner: owner ?? null, namespace },
    });
  }

  async #untilReady(endpointName: string, name: string, signal: AbortSignal): Promise<void> {
    const { startSeconds } = this.#options.settings;
    const path = `${this.#path("deployments")}/${name}`;
    let last = "none of its pods was seen";
    for (const began = performance.now(); performance.now() - began < startSeconds * 1000;) {
      this.#pods.forget();
      const found = await this.#client.get(path, deploymentSchema, signal);
      const { status, metadata } = found ?? { status: null, metadata: null };
      const isSeen = status !== null && status.observedGeneration >= metadata.generation;
      const pods = await this.#pods.of(name, signal);
      if (isSeen && status.availableReplicas > 0 && pods.some(isReady)) return;
      last = pods.flatMap(reasonsOf)[0] ?? last;
      await delay(this.#pollMs, undefined, { signal });
    }
    throw new EndpointCreationError(
      `no Envoy of endpoint ${endpointName} was ready within ${startSeconds} s: ${last}`,
      { details: { endpoint_name: endpointName, deployment: name } },
    );
  }

  get #pollMs(): number {
    return this.#options.pollMs ?? 200;
  }

  #nameOf(endpointName: string): string {
    return endpointObjectName(this.#options.settings.installation, endpointName);
  }

  #path(plural: string): string {
    const group = Object.entries(groups).find(([name]) => name === plural)?.[1] ?? "/api/v1";
    return `${group}/namespaces/${this.#options.namespace}/${plural}`;
  }
}
