import type { Endpoint } from "../domain/entities.ts";
import { planned } from "../planning/decisions.ts";
import type { PlannedStep } from "../domain/plan.ts";
import { switchRoute } from "../planning/route_switch.ts";
import type { EndpointFacts, WantedServer } from "./facts.ts";
import type { Traffic } from "../domain/traffic/weights.ts";
import type { Drift } from "./replica_drifts.ts";

const hasRoute = ({ weights, mirror_deployment_id: mirror }: Endpoint): boolean =>
  Object.keys(weights).length > 0 || mirror !== null;

/** Where the router does something else than the database says. Pure. */
export function routeDrifts({ endpoint, route }: EndpointFacts): Drift[] {
  const drift = (found: string, wanted: string, left: string | null = null): Drift[] => [
    { part: "router", subject: endpoint.endpoint_name, found, wanted, left },
  ];
  const wanted = `generation ${endpoint.generation}: ${trafficText(endpoint)}`;
  if (route === undefined) return [];
  if (route === null && hasRoute(endpoint)) return drift("no listener", wanted);
  if (route !== null && route.generation > endpoint.generation) {
    const found = `generation ${route.generation}: ${trafficText(route)}`;
    return drift(
      found,
      wanted,
      "the router is ahead of the database, which may have been restored from an older copy; deploy anew to take over",
    );
  }
  if (endpoint.observed_generation < endpoint.generation) {
    return drift(`generation ${endpoint.observed_generation} acknowledged`, wanted);
  }
  if (route === null || (route.generation === endpoint.generation && isSameTraffic(route, endpoint)))
    return [];
  return drift(`generation ${route.generation}: ${trafficText(route)}`, wanted);
}

/** Whether the router has to be told of the route though no server moved. */
export const isRouteDue = (facts: EndpointFacts): boolean => routeNeed(facts, []) !== "nothing";

type RouteNeed = "nothing" | "apply" | "raise";

/**
 * A router ignores other weights of a generation that it has, so those need the next generation. A route that it has
 * only not received or not acknowledged is applied as it is, and so is that of a restarted server at another address:
 * nothing that approvals are bound to has changed.
 */
function routeNeed({ endpoint, route }: EndpointFacts, moved: WantedServer[]): RouteNeed {
  const { generation, observed_generation: observed } = endpoint;
  if (route !== undefined && route !== null && route.generation > generation) return "nothing";
  if (route === undefined) return moved.length > 0 ? "apply" : "nothing";
  if (route?.generation === generation && !isSameTraffic(route, endpoint)) return "raise";
  if (moved.length > 0) return "apply";
  const isUnheard = route === null || route.generation < generation;
  return observed < generation || (hasRoute(endpoint) && isUnheard) ? "apply" : "nothing";
}

/** Steps that bring the router to the endpoint's route, where it has another or where these servers moved. Pure. */
export function routeSteps(facts: EndpointFacts, moved: WantedServer[]): PlannedStep[] {
  const { endpoint, route } = facts;
  const { endpoint_name, experiment_id, generation, weights, mirror_deployment_id } = endpoint;
  const open = route === null ? [planned({ step: "open_endpoint", endpoint_name, experiment_id })] : [];
  switch (routeNeed(facts, moved)) {
    case "nothing":
      return [];
    case "apply":
      return [...open, planned({ step: "apply_route", endpoint_name, generation })];
    case "raise": {
      const reason = "reconciled: the router did something else";
      return [
        ...open,
        ...switchRoute({ endpoint_name, before: endpoint, weights, mirror_deployment_id, reason }),
      ];
    }
  }
}

function trafficText({ weights, mirror_deployment_id: mirror }: Traffic): string {
  const shares = sharesOf(weights).map(([id, weight]) => `${weight} % to ${id}`);
  const all = [...shares, ...(mirror === null ? [] : [`mirrored to ${mirror}`])];
  return all.length === 0 ? "no traffic" : all.join(", ");
}

const isSameTraffic = (one: Traffic, other: Traffic): boolean => trafficText(one) === trafficText(other);

const sharesOf = (weights: Traffic["weights"]): [string, number][] =>
  Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
