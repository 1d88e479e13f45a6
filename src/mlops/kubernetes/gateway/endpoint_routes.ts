import { untilAborted } from "../../../agents/base/deadline.ts";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { anyObjectSchema } from "../server/observed_objects.ts";
import { hashOf, MANAGER, MARKS, objectName } from "../server/object_names.ts";
import {
  GATEWAY_API,
  type HttpRoute,
  httpRouteSchema,
  type Parent,
  type RouteState,
  type Rule,
  rulesWith,
  type SeenRoute,
  stateOf,
} from "./http_route.ts";

export interface EndpointRoutesOptions {
  client: ClusterClient;
  namespace: string;
  installation: string;
  gateway: { name: string; namespace: string; listener: string | null };
  /** Where callers find an endpoint, `https://{endpoint}.models.example.org`. */
  address: string;
  /** How long one list of routes answers all looks. */
  freshMs?: number;
}

export interface RouteChange {
  parentRefs?: Parent[];
  hostnames?: string[];
  rules?: Rule[];
  state?: RouteState;
  /** Where the counts of its servers begin. */
  figures?: string;
}

const LIST_SECONDS = 20;

/** The HTTPRoutes of one installation's endpoints, one for each. They stay when an endpoint is closed. */
export class EndpointRoutes {
  readonly #options: EndpointRoutesOptions;
  readonly #client: ClusterClient;
  readonly #path: string;
  #kept: { at: number; routes: Promise<HttpRoute[]> } | null = null;

  constructor(options: EndpointRoutesOptions) {
    this.#options = options;
    this.#client = options.client;
    this.#path = `/apis/${GATEWAY_API}/namespaces/${options.namespace}/httproutes`;
  }

  nameOf(endpointName: string): string {
    return objectName(this.#options.installation, `gateway/${endpointName}`);
  }

  addressOf(endpointName: string): string {
    return this.#options.address.replace("{endpoint}", hostLabel(endpointName));
  }

  /** Null where the endpoint was never opened. @throws EndpointCreationError for a route of somebody else's */
  async get(endpointName: string, signal: AbortSignal): Promise<SeenRoute | null> {
    const found = await this.#client.get(
      `${this.#path}/${this.nameOf(endpointName)}`,
      httpRouteSchema,
      signal,
    );
    return found === null ? null : this.#seen(found, endpointName);
  }

  /** The same from a list that all endpoints share. */
  async look(endpointName: string, signal: AbortSignal): Promise<SeenRoute | null> {
    const name = this.nameOf(endpointName);
    const found = (await this.#all(signal)).find(({ metadata }) => metadata.name === name);
    return found === undefined ? null : this.#seen(found, endpointName);
  }

  /** Makes the endpoint's route without weights, which leads to the fallback server. */
  async make(endpointName: string, fallback: string, signal: AbortSignal): Promise<void> {
    const name = this.nameOf(endpointName);
    const labels = this.#labels();
    const marks = { [MARKS.endpointName]: endpointName };
    const hostname = this.hostnameOf(endpointName);
    await this.#refuseTaken(endpointName, hostname, signal);
    const state: RouteState = {
      ...{ generation: 0, claimed: 0, weights: {}, mirror: null },
      ...{ services: {}, before: null },
    };
    const annotations = { ...marks, [MARKS.route]: JSON.stringify(state) };
    const rules = rulesWith([], state, { fallback, services: {}, timeout: null });
    const route = {
      apiVersion: GATEWAY_API,
      kind: "HTTPRoute",
      metadata: { name, labels, annotations },
      spec: { parentRefs: [this.parent()], hostnames: [hostname], rules },
    };
    await this.#client.create(this.#path, route, anyObjectSchema, signal);
    this.forget();
  }

  /** Changes a route as it was seen; null where it was changed since, or is gone. */
  async write(
    { route }: SeenRoute,
    { state, figures, ...spec }: RouteChange,
    signal: AbortSignal,
  ): Promise<SeenRoute | null> {
    const { name, resourceVersion } = route.metadata;
    const annotations = {
      ...(state !== undefined && { [MARKS.route]: JSON.stringify(state) }),
      ...(figures !== undefined && { [MARKS.figures]: figures }),
    };
    const change = {
      metadata: { resourceVersion, annotations },
      ...(Object.keys(spec).length > 0 && { spec }),
    };
    const written = await this.#client.merge(`${this.#path}/${name}`, change, httpRouteSchema, signal);
    this.forget();
    const { [MARKS.endpointName]: endpointName = "" } = route.metadata.annotations;
    return written === null ? null : this.#seen(written, endpointName);
  }

  parent(): Parent {
    const { name, namespace, listener } = this.#options.gateway;
    return { name, namespace, ...(listener !== null && { sectionName: listener }) };
  }

  hostnameOf(endpointName: string): string {
    return new URL(this.addressOf(endpointName)).hostname;
  }

  /** Whether the deployer's gateway is to serve the endpoint under its name. */
  isOpen({ route }: SeenRoute, endpointName: string): boolean {
    const { name, namespace } = this.parent();
    const { parentRefs, hostnames } = route.spec;
    const isAttached = parentRefs.some(
      (one) => one.name === name && (one.namespace ?? this.#options.namespace) === namespace,
    );
    return isAttached && hostnames.includes(this.hostnameOf(endpointName));
  }

  /** The next look asks anew. */
  forget(): void {
    this.#kept = null;
  }

  #seen(route: HttpRoute, endpointName: string): SeenRoute {
    const state = stateOf(route);
    const isOwn = route.metadata.annotations[MARKS.endpointName] === endpointName;
    if (state !== null && isOwn) return { route, state };
    throw new EndpointCreationError(
      `namespace ${this.#options.namespace} has an HTTPRoute ${route.metadata.name} that is no route of this deployer, or has lost its marks: rename or delete it`,
      { details: { http_route: route.metadata.name, namespace: this.#options.namespace } },
    );
  }

  /** Two routes for one host: the older one would get all requests. */
  async #refuseTaken(endpointName: string, hostname: string, signal: AbortSignal): Promise<void> {
    const other = (await this.#all(signal)).find(
      ({ metadata, spec }) =>
        metadata.annotations[MARKS.endpointName] !== endpointName && spec.hostnames.includes(hostname),
    );
    if (other === undefined) return;
    throw new EndpointCreationError(
      `endpoint ${endpointName} cannot be at ${hostname}, where endpoint ${other.metadata.annotations[MARKS.endpointName] ?? "of another name"} is: choose another name`,
    );
  }

  async #all(signal: AbortSignal): Promise<HttpRoute[]> {
    const kept = this.#kept;
    const { freshMs = 500 } = this.#options;
    if (kept !== null && performance.now() - kept.at < freshMs)
      return untilAborted(signal, () => kept.routes);
    const selector = Object.entries(this.#labels())
      .map(([label, value]) => `${label}=${value}`)
      .join(",");
    const own = AbortSignal.timeout(LIST_SECONDS * 1000);
    const made = {
      at: performance.now(),
      routes: this.#client.list(this.#path, selector, httpRouteSchema, own),
    };
    this.#kept = made;
    made.routes.catch(() => {
      if (this.#kept === made) this.#kept = null;
    });
    return untilAborted(signal, () => made.routes);
  }

  #labels(): Record<string, string> {
    return { [MARKS.managedBy]: MANAGER, [MARKS.installation]: this.#options.installation };
  }
}

/** A part of a host name holds no `_`; a name with `-` gets a mark, so that no two read alike. */
function hostLabel(endpointName: string): string {
  const plain = endpointName.replaceAll("_", "-");
  if (!endpointName.includes("-")) return plain;
  return `${plain.slice(0, 54).replace(/-+$/, "")}-${hashOf(endpointName).slice(0, 8)}`;
}
