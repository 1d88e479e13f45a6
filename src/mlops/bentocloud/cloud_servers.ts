import { setTimeout as delay } from "node:timers/promises";
import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";
import type { StartServer } from "../../agents/model_deployer/ports/model_server_port.ts";
import type { CloudClient } from "./cloud_client.ts";
import {
  cloudDeploymentSchema,
  cloudName,
  type CloudServer,
  deploymentListSchema,
  deploymentRequest,
  instanceTypesSchema,
  type RequestSettings,
  type SeenServer,
  seenServer,
} from "./cloud_objects.ts";
import { chooseInstance } from "./instance_choice.ts";

const PATH = "/api/v2/deployments";
const PAGE = 100;

export interface CloudSettings extends RequestSettings {
  startSeconds: number;
  /** Of the organisation; null for its default. */
  cluster: string | null;
}

/** The servers of one installation as deployments of an organisation. */
export class CloudServers {
  readonly #client: CloudClient;
  readonly #settings: CloudSettings;
  readonly #pollMs: number;

  constructor(client: CloudClient, settings: CloudSettings, pollMs: number) {
    this.#client = client;
    this.#settings = settings;
    this.#pollMs = pollMs;
  }

  /** A deployment whose first server was handed over has its next one under another name. */
  async freeOrdinal(deploymentId: string, first: number, signal: AbortSignal): Promise<number> {
    for (let ordinal = first; ; ordinal += 1) {
      const name = cloudName(this.#settings.installation, deploymentId, ordinal);
      const found = await this.named(name, signal);
      if (found === null || found.deployment_id === deploymentId) return ordinal;
    }
  }

  async instanceFor({ deployment_id, resources }: StartServer, signal: AbortSignal): Promise<string> {
    const { min, max, target_cpu } = resources.autoscaling;
    if (max > min && this.#settings.concurrency === null) {
      throw new EndpointCreationError(
        `BentoCloud scales by requests under way and not by CPU, so target_cpu ${target_cpu} of ${deployment_id} means nothing to it: set MODEL_DEPLOYER_BENTOCLOUD_CONCURRENCY to the requests that one replica should have, or ask for as many replicas at least as at most`,
      );
    }
    const types = await this.#client.get("/api/v1/instance_types", instanceTypesSchema, signal);
    const choice = chooseInstance(resources, types ?? []);
    if ("refused" in choice) throw new EndpointCreationError(choice.refused);
    return choice.instance;
  }

  /** Made, or found as it was made before. */
  async make(wanted: CloudServer, signal: AbortSignal): Promise<SeenServer> {
    const settings = this.#settings;
    const name = cloudName(settings.installation, wanted.deployment_id, wanted.ordinal);
    const body = deploymentRequest(name, wanted, settings);
    const path = `${PATH}${this.#query("?")}`;
    for (;;) {
      const made = await this.#client.create(path, body, cloudDeploymentSchema, signal);
      const present = made === null ? await this.named(name, signal) : null;
      if (present === null || isThere(present)) break;
      // Whoever ended it has not come to deleting it.
      await this.remove(name, signal);
    }
    const found = await this.named(name, signal);
    const isSame = found?.deployment_id === wanted.deployment_id && found.bento_tag === wanted.bento_tag;
    if (isSame) return found;
    const whose =
      found === null ? "no server of this deployer" : `the server of ${found.deployment_id} by now`;
    throw new EndpointCreationError(
      `BentoCloud has a deployment ${name} that is ${whose}: rename or delete it, or ask again, and ${wanted.deployment_id} gets another name`,
    );
  }

  /** A change is the whole of what is wanted, so what the labels say of the rest is sent again. */
  async mark(server: SeenServer, marks: Partial<CloudServer>, signal: AbortSignal): Promise<boolean> {
    const { name } = server.seen;
    const body = deploymentRequest(name, { ...server, ...marks }, this.#settings);
    return this.#client.change({ method: "PUT", path: this.#pathOf(name), body }, signal);
  }

  /** A deployment has to be terminated before it can be deleted. */
  async remove(name: string, signal: AbortSignal): Promise<void> {
    const terminate = { method: "POST", path: `${PATH}/${name}/terminate${this.#query("?")}` } as const;
    if (!(await this.#client.change(terminate, signal))) return;
    for (;;) {
      const found = await this.#client.get(this.#pathOf(name), cloudDeploymentSchema, signal);
      if (found === null) return;
      if (["terminated", "non-deployed"].includes(found.status)) break;
      await delay(this.#pollMs, undefined, { signal });
    }
    await this.#client.change({ method: "DELETE", path: this.#pathOf(name) }, signal);
  }

  async own(deploymentId: string, signal: AbortSignal): Promise<SeenServer[]> {
    return (await this.all(signal)).filter(
      (server) => server.deployment_id === deploymentId && isThere(server),
    );
  }

  /** Oldest first; those that are being ended too. */
  async all(signal: AbortSignal): Promise<SeenServer[]> {
    const { installation } = this.#settings;
    const found: SeenServer[] = [];
    for (let start = 0; ; start += PAGE) {
      const path = `${PATH}?all=true&start=${start}&count=${PAGE}${this.#query("&")}`;
      const page = await this.#client.get(path, deploymentListSchema, signal);
      const items = page?.items ?? [];
      found.push(...items.flatMap((seen) => seenServer(seen, installation) ?? []));
      if (items.length === 0 || start + items.length >= (page?.total ?? 0)) break;
    }
    return found.sort((a, b) => a.ordinal - b.ordinal);
  }

  async named(name: string, signal: AbortSignal): Promise<SeenServer | null> {
    const seen = await this.#client.get(this.#pathOf(name), cloudDeploymentSchema, signal);
    return seen === null ? null : seenServer(seen, this.#settings.installation);
  }

  #pathOf(name: string): string {
    return `${PATH}/${name}${this.#query("?")}`;
  }

  #query(sign: "?" | "&"): string {
    const { cluster } = this.#settings;
    return cluster === null ? "" : `${sign}cluster=${encodeURIComponent(cluster)}`;
  }
}

/** False for one that is being ended, or was. */
export const isThere = ({ seen }: SeenServer) => !["terminating", "terminated"].includes(seen.status);
