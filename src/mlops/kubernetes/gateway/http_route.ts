import { z } from "zod";
import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import { anyObjectSchema } from "../server/observed_objects.ts";
import { MARKS } from "../server/object_names.ts";
import { SERVED_PORT } from "../server/server_pod.ts";

/** The one rule of a route that is the deployer's; all others are somebody else's. */
export const OWN_RULE = "model-deployer";
export const GATEWAY_API = "gateway.networking.k8s.io/v1";

const backendSchema = z.looseObject({ name: z.string(), weight: z.int().optional() });
type Backend = z.infer<typeof backendSchema>;
const filterSchema = z.looseObject({
  type: z.string(),
  requestMirror: z
    .looseObject({
      backendRef: z.looseObject({ name: z.string() }),
      percent: z.int().optional(),
      fraction: z.unknown().optional(),
    })
    .optional(),
});
type Filter = z.infer<typeof filterSchema>;
const ruleSchema = z.looseObject({
  name: z.string().optional(),
  filters: z.array(filterSchema).optional(),
  backendRefs: z.array(backendSchema).optional(),
});
export type Rule = z.infer<typeof ruleSchema>;
const parentSchema = z.looseObject({
  name: z.string(),
  namespace: z.string().optional(),
  sectionName: z.string().optional(),
  port: z.int().optional(),
});
export type Parent = z.infer<typeof parentSchema>;

export const httpRouteSchema = z.object({
  metadata: anyObjectSchema.shape.metadata.extend({ namespace: z.string().default("") }),
  spec: z
    .object({
      parentRefs: z.array(parentSchema).default([]),
      hostnames: z.array(z.string()).default([]),
      rules: z.array(ruleSchema).default([]),
    })
    .prefault({}),
  status: z
    .object({
      parents: z
        .array(
          z.object({
            parentRef: parentSchema,
            controllerName: z.string().default(""),
            conditions: z
              .array(
                z.object({
                  type: z.string(),
                  status: z.string(),
                  reason: z.string().default(""),
                  message: z.string().default(""),
                  observedGeneration: z.int().default(0),
                }),
              )
              .default([]),
          }),
        )
        .default([]),
    })
    .prefault({}),
});
export type HttpRoute = z.infer<typeof httpRouteSchema>;

const traffic = {
  generation: z.int().min(0),
  weights: z.record(z.string(), z.int().min(0)),
  mirror: z.string().nullable(),
};
const stateSchema = z.object({
  ...traffic,
  /** The newest generation that somebody has begun to apply. */
  claimed: z.int().min(0),
  /** By deployment: the Service that leads to its server. */
  services: z.record(z.string(), z.string()),
  /** The rule before; it is in force until each parent has accepted what the rule says now. */
  before: z.object(traffic).nullable(),
});
/** The deployer's own notes on a route beside its rule: what names stand for, and what came before. */
export type RouteState = z.infer<typeof stateSchema>;

/** Null for a route that is none of the deployer's. */
export function stateOf({ metadata }: HttpRoute): RouteState | null {
  const kept = metadata.annotations[MARKS.route];
  return kept === undefined ? null : (stateSchema.safeParse(parsedJson(kept)).data ?? null);
}

/** An endpoint's route as it was seen. */
export interface SeenRoute {
  route: HttpRoute;
  state: RouteState;
}

/** The weights and mirror that the rule has now, whoever wrote it. A Service that the deployer knows nothing of stands under its own name. */
export function routeIn(endpointName: string, fallback: string, { route, state }: SeenRoute): Route {
  const deployments = new Map(Object.entries(state.services).map(([id, service]) => [service, id]));
  const rule = route.spec.rules.find(({ name }) => name === OWN_RULE);
  const weights: Route["weights"] = Object.fromEntries(Object.keys(state.weights).map((id) => [id, 0]));
  for (const { name, weight = 1 } of rule?.backendRefs ?? []) {
    if (name === fallback) continue;
    const id = deployments.get(name) ?? `Service/${name}`;
    weights[id] = (weights[id] ?? 0) + weight;
  }
  const mirror = (rule?.filters ?? []).flatMap((filter) => wholeMirrorOf(filter) ?? []);
  const mirrored = mirror.flatMap((name) => deployments.get(name) ?? []);
  const { generation } = state;
  return {
    endpoint_name: endpointName,
    generation,
    weights,
    mirror_deployment_id: mirrored[0] ?? null,
  };
}

/** One that copies only a share is not what a shadow needs. */
function wholeMirrorOf({ type, requestMirror }: Filter): string | null {
  if (type !== "RequestMirror" || requestMirror === undefined) return null;
  const { backendRef, percent = 100, fraction } = requestMirror;
  return percent === 100 && fraction === undefined ? backendRef.name : null;
}

/**
 * All rules of a route with the deployer's own brought to these weights. Other rules, and what others have added to this
 * one, stay. Without weights the rule leads to a Service that has no pods.
 * @param services of all deployments that the route has known; a copy to one of them is the deployer's own
 */
export function rulesWith(
  seen: readonly Rule[],
  { weights, mirror }: Pick<RouteState, "weights" | "mirror">,
  {
    fallback,
    services,
    timeout,
  }: { fallback: string; services: RouteState["services"]; timeout: string | null },
): Rule[] {
  const present = seen.find(({ name }) => name === OWN_RULE);
  const own = new Set(Object.values(services));
  const others = (present?.filters ?? standardFilters).filter(
    ({ requestMirror }) => requestMirror === undefined || !own.has(requestMirror.backendRef.name),
  );
  const mirrored = mirror === null ? [] : [mirrorTo(services[mirror] ?? fallback)];
  const backends = Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .map(([id, weight]) => backendTo(services[id] ?? fallback, weight, present));
  const rule: Rule = {
    ...(present ?? { matches: standardMatches }),
    name: OWN_RULE,
    filters: [...others, ...mirrored],
    backendRefs: backends.length === 0 ? [backendTo(fallback, 1, present)] : backends,
    ...(timeout !== null && present?.["timeouts"] === undefined && { timeouts: { request: timeout } }),
  };
  if (present === undefined) return [...seen, rule];
  return seen.map((one) => (one === present ? rule : one));
}

function backendTo(name: string, weight: number, present: Rule | undefined): Backend {
  const before = present?.backendRefs?.find((backend) => backend.name === name);
  return { ...before, name, port: SERVED_PORT, weight };
}

function mirrorTo(name: string): Filter {
  const requestMirror = { backendRef: { name, port: SERVED_PORT } };
  return { type: "RequestMirror", requestMirror };
}

/** The routes that callers may ask of a model, and nothing that a server tells the deployer alone. */
const exact = ["/healthz", "/predict", "/invocations", "/openapi.json"];
const standardMatches = [
  ...exact.map((value) => ({ path: { type: "Exact", value } })),
  { path: { type: "PathPrefix", value: "/v2" } },
];
/** Only the deployer marks a request as its own, and asks the server itself. */
const standardFilters: Filter[] = [
  {
    type: "RequestHeaderModifier",
    requestHeaderModifier: { remove: ["x-model-deployer-probe", "x-model-deployer-secret"] },
  },
];
