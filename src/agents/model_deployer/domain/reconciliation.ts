import type { ChangeOf } from "./changes.ts";
import type { Deployment, Endpoint, ModelVersion } from "./entities.ts";
import { planned } from "./decisions.ts";
import type { Life } from "./liveness.ts";
import type { PlannedStep } from "./plan.ts";
import { packageOf, startAgainOf, startBesideOf } from "./planned_deployment.ts";
import type { Route } from "./rollout.ts";
import { answersAgain, type Restarts, waitsFor } from "./server_restarts.ts";
import { setStatus, switchRoute } from "./route_switch.ts";

/** A difference between what the database says and what is, before anything is done about it. */
export interface Drift {
  part: "registry" | "router" | "servers";
  /** The model version, endpoint or deployment that it is about. */
  subject: string;
  found: string;
  wanted: string;
  /** Why nobody should repair it here; null where it is to be repaired. */
  left: string | null;
}

/** `held` by a living process, or `interrupted` and to be resumed. Neither is fought. */
export interface Busy {
  kind: "held" | "interrupted";
  by: string;
}

export type ServerState =
  | { state: "absent" }
  | { state: "starting" }
  | { state: "ready"; bento_tag: string; replaced?: boolean }
  | { state: "unresponsive"; reason: string }
  | { state: "failed"; reason: string };

/** A deployment whose server has to answer: it is on the route, or is kept warm for a rollback. */
export interface WantedServer {
  deployment: Deployment;
  version: ModelVersion;
  /** Null when it could not be asked. */
  state: ServerState | null;
  /** Null when it could not be asked. */
  life: Life | null;
  /** Null unless it could not be started again the last time. */
  restarts: Restarts | null;
}

export interface EndpointFacts {
  endpoint: Endpoint;
  busy: Busy | null;
  /** The candidate of the open rollout, whose end is the rollout's to decide. */
  candidate_id: string | null;
  /** What the router does; null without a listener, undefined when it could not be asked. */
  route: Route | null | undefined;
  servers: WantedServer[];
}

export interface EndpointDrift {
  drifts: Drift[];
  /** What repairs all that is not left; in this order, under the endpoint's lease. */
  steps: PlannedStep[];
  /** That servers which could not be started answer again. */
  recovered: ChangeOf<"note_restart">[];
}

/** What differs at one endpoint, and the steps that bring it back. Never lowers a generation. Pure. */
export function decideEndpoint(facts: EndpointFacts): EndpointDrift {
  const dead = facts.servers.filter(isDead);
  const late = facts.servers.filter(({ life }) => life?.life === "missed" || life?.life === "silent");
  const replaced = facts.servers.filter(({ state }) => state?.state === "ready" && state.replaced === true);
  const drifts = [
    ...dead.map((server) => deadServer(server, facts)),
    ...late.map((server) => lateServer(server, facts)),
    ...replaced.map((server) => replacedServer(server, facts)),
    ...routeDrifts(facts),
  ];
  const recovered = facts.servers
    .filter((server) => server.restarts !== null && server.state?.state === "ready" && !isDead(server))
    .map(({ deployment }) => answersAgain(deployment.deployment_id));
  if (drifts.length === 0) return { drifts, steps: [], recovered };
  if (facts.busy !== null) {
    const { kind, by } = facts.busy;
    const left = `${by}; it is ${kind === "held" ? "at work on this endpoint" : "resumed first"}`;
    return { drifts: drifts.map((drift) => ({ ...drift, left })), steps: [], recovered: [] };
  }
  const isOurs = ({ deployment, restarts }: WantedServer) =>
    deployment.deployment_id !== facts.candidate_id && waitsFor(restarts) === null;
  const silent = late.filter(({ life }) => life?.life === "silent").filter(isOurs);
  const started = [...dead.filter(isOurs), ...silent];
  const again = (servers: WantedServer[]) =>
    servers.flatMap((server) => startAgain(server, facts.endpoint, silent.includes(server)));
  const onRoute = started.filter(({ deployment }) => isRouted(deployment.deployment_id, facts.endpoint));
  const warm = started.filter((server) => !onRoute.includes(server));
  const former = [...silent, ...replaced];
  const steps = [...again(onRoute), ...routeSteps(facts, [...onRoute, ...replaced]), ...again(warm)];
  return { drifts, steps: [...steps, ...former.map(stopFormer)], recovered };
}

function isDead({ state, life, deployment }: WantedServer): boolean {
  return life?.life === "gone" || (state?.state === "ready" && state.bento_tag !== deployment.bento_tag);
}

function deadServer({ deployment, state, restarts }: WantedServer, facts: EndpointFacts): Drift {
  const isCandidate = deployment.deployment_id === facts.candidate_id;
  return {
    part: "servers",
    subject: deployment.deployment_id,
    found: stateText(state),
    wanted: `ready with ${deployment.bento_tag}, ${purposeOf(deployment.deployment_id, facts.endpoint)}`,
    left: isCandidate ? "it is the candidate of a rollout, which rolls it back" : waitsFor(restarts),
  };
}

/** Until it counts as silent its process is left alone: it may answer its callers though it misses a probe. */
function lateServer(server: WantedServer, facts: EndpointFacts): Drift {
  const { life } = server;
  const why = life !== null && "why" in life ? life.why : "it does not answer";
  const drift = { ...deadServer(server, facts), found: `unresponsive: ${why}` };
  return life?.life === "missed" ? { ...drift, left: why } : drift;
}

/** A replacement that was cut off before its end. */
function replacedServer({ deployment }: WantedServer, { endpoint }: EndpointFacts): Drift {
  const id = deployment.deployment_id;
  const wanted = `one server, ${purposeOf(id, endpoint)}`;
  return { part: "servers", subject: id, found: "a former server beside it", wanted, left: null };
}

function stopFormer({ deployment: { deployment_id } }: WantedServer): PlannedStep {
  return planned({ step: "stop_server", deployment_id, only_former: true });
}

function stateText(state: ServerState | null): string {
  if (state !== null && "reason" in state) return `${state.state}: ${state.reason}`;
  if (state?.state === "ready") return `ready with ${state.bento_tag}`;
  return state?.state ?? "not asked";
}

function purposeOf(id: string, { weights, mirror_deployment_id }: Endpoint): string {
  const weight = weights[id] ?? 0;
  if (weight > 0) return `for ${weight} % of the traffic`;
  return mirror_deployment_id === id ? "as the shadow" : "warm for a rollback";
}

/** A shadow that was away begins its hours anew. */
function startAgain(
  { deployment, version }: WantedServer,
  endpoint: Endpoint,
  isBeside: boolean,
): PlannedStep[] {
  const { deployment_id: id, bento_tag, status } = deployment;
  const isShadow = endpoint.mirror_deployment_id === id && status === "active";
  const hoursAnew = [setStatus(id, ["active"], "deploying"), setStatus(id, ["deploying"], "active")];
  return [
    planned({ ...packageOf(version), bento_tag }),
    planned(isBeside ? startBesideOf(deployment) : startAgainOf(deployment), {
      then: isShadow ? hoursAnew : [],
    }),
  ];
}

const hasRoute = ({ weights, mirror_deployment_id: mirror }: Endpoint): boolean =>
  Object.keys(weights).length > 0 || mirror !== null;

function routeDrifts({ endpoint, route }: EndpointFacts): Drift[] {
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

type RouteNeed = "nothing" | "apply" | "raise";

/**
 * A router ignores other weights of a generation that it has, which therefore need the next one. What it only has not
 * heard of or not acknowledged is applied as it is, and so is a server that was started again and may listen elsewhere:
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

function routeSteps(facts: EndpointFacts, moved: WantedServer[]): PlannedStep[] {
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

export const isRouted = (id: string, { weights, mirror_deployment_id: mirror }: Endpoint): boolean =>
  (weights[id] ?? 0) > 0 || mirror === id;

type Traffic = Pick<Route, "weights" | "mirror_deployment_id">;

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

export interface RunningServer {
  deployment_id: string;
  /** Null when the database knows no such deployment. */
  deployment: Deployment | null;
  busy: Busy | null;
}

const STOPPED_FOR_GOOD = ["draining", "rolled_back", "failed"];

/** Null when somebody wants the server, or draining ends it in its time. Pure. */
export function decideServer({ deployment_id, deployment, busy }: RunningServer): Drift | null {
  const drift = { part: "servers" as const, subject: deployment_id, wanted: "no server" };
  if (deployment === null) {
    const left = "this database knows no such deployment; stop it if no other database shares the home";
    return { ...drift, found: "a server of an unknown deployment", left };
  }
  const isOver = deployment.drained_at !== null || deployment.drain_due_at === null;
  if (!STOPPED_FOR_GOOD.includes(deployment.status) || !isOver) return null;
  const found = `a server, though the deployment is ${deployment.status} and was stopped`;
  return { ...drift, found, left: busy === null ? null : `${busy.by}; its endpoint is in use` };
}
