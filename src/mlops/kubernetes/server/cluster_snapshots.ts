import type { z } from "zod";
import { untilAborted } from "../../../agents/base/deadline.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { ParsedOnce } from "../api/parsed_once.ts";
import { pathIn } from "./namespace_paths.ts";
import { MANAGER, MARKS } from "./object_names.ts";
import {
  deploymentSchema,
  type ObservedPod,
  podSchema,
  type ServerView,
  serverViewOf,
  serviceSchema,
} from "./observed_objects.ts";
import { SERVED_PORT } from "./server_pod.ts";

export interface ServiceAddress {
  host: string;
  port: number;
}

export interface Snapshot {
  servers: ServerView[];
  /** By the name of the Deployment; pods that are being deleted are left out. */
  pods: Map<string, ObservedPod[]>;
  /** Of Services, by the same name. */
  addresses: Map<string, ServiceAddress>;
}

const LIST_SECONDS = 20;
const OLDEST_MS = 5_000;

/** One installation's objects in a namespace, listed once for many looks. */
export class ClusterSnapshots {
  readonly #client: ClusterClient;
  readonly #namespace: string;
  readonly #installation: string;
  readonly #freshMs: number;
  #kept: { at: number; snapshot: Promise<Snapshot> } | null = null;
  #listMs = 0;
  readonly #views = new ParsedOnce(deploymentSchema.transform(serverViewOf));
  readonly #pods = new ParsedOnce(podSchema);
  readonly #services = new ParsedOnce(serviceSchema);

  /** @param freshMs looks within this time share one list, so that a thousand deployments cost as many requests as one */
  constructor(client: ClusterClient, namespace: string, installation: string, freshMs: number) {
    this.#client = client;
    this.#namespace = namespace;
    this.#installation = installation;
    this.#freshMs = freshMs;
  }

  async latest(signal: AbortSignal): Promise<Snapshot> {
    const kept = this.#kept;
    if (kept !== null && performance.now() - kept.at < this.#sharedMs()) {
      return untilAborted(signal, () => kept.snapshot);
    }
    const own = AbortSignal.timeout(LIST_SECONDS * 1000);
    const made = { at: performance.now(), snapshot: this.#list(own) };
    this.#kept = made;
    made.snapshot.catch(() => {
      if (this.#kept === made) this.#kept = null;
    });
    return untilAborted(signal, () => made.snapshot);
  }

  /** The next look asks anew. */
  forget(): void {
    this.#kept = null;
  }

  /** So long that listing a large cluster takes a fifth of the time at most, and never longer than a look may be old. */
  #sharedMs(): number {
    return this.#freshMs === 0 ? 0 : Math.max(this.#freshMs, Math.min(5 * this.#listMs, OLDEST_MS));
  }

  async #list(signal: AbortSignal): Promise<Snapshot> {
    const began = performance.now();
    const [views, listed, services] = await Promise.all([
      this.#labelled("deployments", this.#views, signal),
      this.#labelled("pods", this.#pods, signal),
      this.#labelled("services", this.#services, signal),
    ]);
    const servers = views.filter((view) => view !== null).filter(isKept);
    const pods = new Map<string, ObservedPod[]>();
    for (const pod of listed) {
      const server = pod.metadata.labels[MARKS.server];
      if (server === undefined || pod.metadata.deletionTimestamp !== null) continue;
      pods.set(server, [...(pods.get(server) ?? []), pod]);
    }
    const addresses = new Map(
      services.flatMap((service) => {
        const address = addressOf(service);
        return address === null ? [] : [[service.metadata.name, address] as const];
      }),
    );
    this.#listMs = performance.now() - began;
    return { servers, pods, addresses };
  }

  async #labelled<T>(plural: string, known: ParsedOnce<T>, signal: AbortSignal): Promise<T[]> {
    const labels = `${MARKS.managedBy}=${MANAGER},${MARKS.installation}=${this.#installation}`;
    const objects = await this.#client.list(pathIn(this.#namespace, plural), labels, known.schema, signal);
    known.listed();
    return objects;
  }
}

const isKept = ({ deployment }: ServerView) => deployment.metadata.deletionTimestamp === null;

/** Null for a headless one, which is none of ours. */
export function addressOf({ spec }: z.infer<typeof serviceSchema>): ServiceAddress | null {
  const { clusterIP: host } = spec;
  return host === "" || host === "None" ? null : { host, port: SERVED_PORT };
}
