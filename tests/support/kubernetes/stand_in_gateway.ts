import { z } from "zod";
import { type HttpRoute, httpRouteSchema } from "../../../src/mlops/kubernetes/gateway/http_route.ts";
import { Refusal } from "./api_server/object_store.ts";
import { GATEWAY_NAMESPACE, type StandInCluster } from "./api_server/stand_in_cluster.ts";

export const GATEWAY = { name: "shared", namespace: GATEWAY_NAMESPACE, listener: null };
export const GATEWAY_CLASS = "stand-in";

const serviceSchema = z.looseObject({ spec: z.looseObject({ selector: z.record(z.string(), z.string()) }) });

/**
 * The controller of a gateway, and its proxy. It reports on each route at once unless a test says otherwise, and routes
 * by the last one that it has accepted.
 */
export class StandInGateway {
  readonly #cluster: StandInCluster;
  readonly #programmed = new Map<string, HttpRoute>();
  readonly #shares = new Map<string, number>();
  /** Set, the controller looks at nothing any more. */
  isAsleep = false;
  /** Set, it reports conditions of no generation, as some controllers do. */
  isVague = false;
  /** Set, it refuses a route that names this Service. */
  refused: string | null = null;
  #isLooking = false;

  constructor(cluster: StandInCluster, features: string[] | null = ["HTTPRouteRequestMirror"]) {
    this.#cluster = cluster;
    const { objects } = cluster;
    const apiVersion = "gateway.networking.k8s.io/v1";
    objects.create("gatewayclasses", {
      ...{ apiVersion, kind: "GatewayClass", metadata: { name: GATEWAY_CLASS } },
      spec: { controllerName: "example.org/stand-in" },
    });
    if (features !== null) this.list(features);
    objects.create("gateways", {
      ...{ apiVersion, kind: "Gateway", metadata: { name: GATEWAY.name } },
      spec: { gatewayClassName: GATEWAY_CLASS, listeners: [] },
    });
    objects.setStatus("gateways", GATEWAY.name, { conditions: [{ type: "Programmed", status: "True" }] });
    const before = objects.onChange;
    objects.onChange = (plural) => {
      before(plural);
      this.look();
    };
    this.look();
  }

  /** What the class says that it supports. */
  list(features: string[]): void {
    const supportedFeatures = features.map((name) => ({ name }));
    this.#cluster.objects.setStatus("gatewayclasses", GATEWAY_CLASS, { supportedFeatures });
  }

  look(): void {
    if (this.isAsleep || this.#isLooking) return;
    this.#isLooking = true;
    for (const object of this.#cluster.objects.list("httproutes")) {
      const route = httpRouteSchema.parse(object);
      const parents = route.spec.parentRefs.map((parentRef) => this.#verdict(route, parentRef));
      this.#cluster.objects.setStatus("httproutes", route.metadata.name, { parents });
      const isProgrammed = parents.every(({ conditions }) => conditions[0]?.status === "True");
      if (isProgrammed && this.#refusal(route) === null) this.#programmed.set(route.metadata.name, route);
    }
    this.#isLooking = false;
  }

  /** Answers as its proxy does: by the weights of the route for this host, in turns. */
  async send(host: string, path: string, body = "{}"): Promise<number> {
    const routes = [...this.#programmed.values()];
    const route = routes.find(({ spec }) => spec.hostnames.includes(host) && spec.parentRefs.length > 0);
    const [rule] = route?.spec.rules ?? [];
    if (rule === undefined) return 404;
    for (const { requestMirror } of rule.filters ?? []) {
      if (requestMirror !== undefined) await this.#ask(requestMirror.backendRef.name, path, body);
    }
    const backends = (rule.backendRefs ?? []).filter(({ weight = 1 }) => weight > 0);
    const next = backends
      .map(({ name, weight = 1 }) => ({ name, used: (this.#shares.get(`${host}/${name}`) ?? 0) / weight }))
      .sort((a, b) => a.used - b.used)[0];
    if (next === undefined) return 500;
    const key = `${host}/${next.name}`;
    this.#shares.set(key, (this.#shares.get(key) ?? 0) + 1);
    return this.#ask(next.name, path, body);
  }

  #verdict(route: HttpRoute, parentRef: HttpRoute["spec"]["parentRefs"][number]) {
    const observedGeneration = this.isVague ? {} : { observedGeneration: route.metadata.generation };
    const condition = (type: string, isTrue: boolean, reason: string, message = "") => ({
      ...{ type, status: isTrue ? "True" : "False", reason, message },
      ...observedGeneration,
    });
    const isThere = parentRef.name === GATEWAY.name && !(this.#gateway() instanceof Refusal);
    const refusal = this.#refusal(route);
    const conditions = [
      condition("Accepted", isThere, isThere ? "Accepted" : "NoMatchingParent"),
      condition(
        "ResolvedRefs",
        refusal === null,
        refusal === null ? "ResolvedRefs" : "BackendNotFound",
        refusal ?? "",
      ),
    ];
    return { parentRef, controllerName: "example.org/stand-in", conditions };
  }

  #gateway() {
    return this.#cluster.objects.get("gateways", GATEWAY.name);
  }

  #refusal({ spec }: HttpRoute): string | null {
    const named = spec.rules.flatMap(({ backendRefs = [], filters = [] }) => [
      ...backendRefs.map(({ name }) => name),
      ...filters.flatMap(({ requestMirror }) => requestMirror?.backendRef.name ?? []),
    ]);
    const missing = named.find(
      (name) => name === this.refused || this.#cluster.objects.get("services", name) instanceof Refusal,
    );
    return missing === undefined ? null : `service "${missing}" not found`;
  }

  async #ask(service: string, path: string, body: string): Promise<number> {
    const found = this.#cluster.objects.get("services", service);
    if (found instanceof Refusal) return 500;
    const { selector } = serviceSchema.parse(found).spec;
    const labels = Object.entries(selector).map(([label, value]) => `${label}=${value}`);
    const [pod] = this.#cluster.objects.list("pods", labels.join(","));
    if (pod === undefined) return 503;
    const url = new URL("http://stand-in/");
    const answer = await this.#cluster.node.below(pod.metadata.name, `/proxy${path}`, url, body);
    return answer.status;
  }
}
