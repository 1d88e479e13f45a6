import type { Change } from "../domain/changes.ts";
import { type Endpoint, STOPPABLE_STATUSES } from "../domain/entities.ts";
import { planned } from "../planning/decisions.ts";
import type { PlannedStep } from "../domain/plan.ts";
import { packageOf, startAgainOf, startBesideOf } from "../planning/planned_deployment.ts";
import { answersAgain, isGivenUp, waitsFor } from "../domain/servers/server_restarts.ts";
import { elsewhere } from "../domain/servers/engines.ts";
import { setStatus } from "../planning/route_switch.ts";
import type { RunningServer, ServerState } from "../domain/servers/running_server.ts";
import type { EndpointFacts, WantedServer } from "./facts.ts";
import { isRouted } from "../domain/traffic/weights.ts";
import { overMemory, replaceForMemory } from "./capacity/memory_limits.ts";
import { mendReplicas, replicaDrift } from "./mended_replicas.ts";
import { isScaled, scaledServer, scaleSteps } from "./capacity/scaled_servers.ts";
import { isRouteDue, routeDrifts, routeSteps } from "./route_repair.ts";
import {
  type Drift,
  ends,
  killedServer,
  partialServer,
  purposeOf,
  serverOverLimit,
  unreachedDeployment,
} from "./replica_drifts.ts";

export type { Drift } from "./replica_drifts.ts";

export interface EndpointDrift {
  drifts: Drift[];
  /** Steps that repair all drifts that are not left, in this order, under the endpoint's lease. */
  steps: PlannedStep[];
  /** Of rows alone, before the steps: servers that answer again, and deployments that nothing leads to. */
  changes: Change[];
}

/** The differences at one endpoint, and the steps that repair them. Never lowers a generation. Pure. */
export function decideEndpoint(facts: EndpointFacts): EndpointDrift {
  const dead = facts.servers.filter(isDead);
  const late = facts.servers.filter(({ life }) => life?.life === "missed" || life?.life === "silent");
  const replaced = facts.servers.filter(({ state }) => state?.state === "ready" && state.replaced === true);
  const partial = facts.servers.filter((server) => !dead.includes(server) && replicaDrift(server) !== null);
  const heavy = facts.servers.filter((server) => overMemory(server) !== null);
  const kinds = { dead, partial, heavy, late, replaced };
  const drifts = driftsOf(facts, kinds);
  const recovered = facts.servers
    .filter((server) => server.restarts !== null && server.state?.state === "ready" && !isDead(server))
    .filter((server) => !partial.includes(server))
    .map(({ deployment }) => answersAgain(deployment.deployment_id));
  if (drifts.length === 0) return { drifts, steps: [], changes: recovered };
  if (facts.busy !== null) {
    const { kind, by } = facts.busy;
    const left = `${by}; it is ${kind === "held" ? "at work on this endpoint" : "resumed first"}`;
    return { drifts: drifts.map((drift) => ({ ...drift, left })), steps: [], changes: [] };
  }
  return { drifts, steps: repairSteps(facts, kinds), changes: [...recovered, ...facts.unreached.map(ends)] };
}

type Kinds = Record<"dead" | "partial" | "heavy" | "late" | "replaced", WantedServer[]>;

/** Servers with traffic first, then the route, and servers that are only kept warm last. */
function repairSteps(facts: EndpointFacts, { dead, partial, heavy, late, replaced }: Kinds): PlannedStep[] {
  const isOurs = (server: WantedServer) => !isRolledBack(server, facts) && waitsFor(server.restarts) === null;
  const silent = late.filter(({ life }) => life?.life === "silent").filter(isOurs);
  const started = [...dead.filter(isOurs), ...silent];
  const again = (servers: WantedServer[]) =>
    servers.flatMap((server) => startAgain(server, facts.endpoint, silent.includes(server)));
  const hasTraffic = ({ deployment }: WantedServer) => isRouted(deployment.deployment_id, facts.endpoint);
  const onRoute = started.filter(hasTraffic);
  const warm = started.filter((server) => !onRoute.includes(server));
  // A route cannot be applied before the servers answer that it leads to: their start is waited for.
  const isComing = (server: WantedServer) => server.state?.state === "starting" && hasTraffic(server);
  const coming = isRouteDue(facts) ? facts.servers.filter(isComing).filter(isOurs) : [];
  const mended = partial.filter(
    (server) => waitsFor(server.restarts) === null && replicaDrift(server)?.left === null,
  );
  const relieved = heavy
    .filter(
      (server) =>
        overMemory(server)?.left === null && !mended.includes(server) && waitsFor(server.restarts) === null,
    )
    .slice(0, 1);
  const scaled = facts.servers.filter((server) =>
    isScaled(server, [...dead, ...late, ...mended, ...relieved]),
  );
  const former = new Set([...silent, ...replaced, ...mended, ...relieved, ...scaled]);
  const steps = [
    ...again([...onRoute, ...coming]),
    ...mended.flatMap(mendReplicas),
    ...relieved.flatMap((server) => replaceForMemory(server, overMemory(server)?.replica ?? 1)),
    ...scaled.flatMap(scaleSteps),
    ...routeSteps(facts, [...onRoute, ...replaced, ...mended, ...relieved, ...scaled]),
    ...again(warm),
  ];
  return [...steps, ...[...former].map(stopFormer)];
}

function driftsOf(facts: EndpointFacts, { dead, partial, heavy, late, replaced }: Kinds): Drift[] {
  return [
    ...dead.map((server) => deadServer(server, facts)),
    ...partial.map((server) => partialServer(server, facts.endpoint)),
    ...facts.servers.flatMap(scaledServer),
    ...heavy.map((server) => serverOverLimit(server, facts.endpoint)),
    ...facts.servers.flatMap((server) => killedServer(server, facts.endpoint)),
    ...late.map((server) => lateServer(server, facts)),
    ...replaced.map((server) => replacedServer(server, facts)),
    ...facts.unreached.map(unreachedDeployment),
    ...routeDrifts(facts),
  ];
}

function isDead({ state, life, deployment }: WantedServer): boolean {
  return life?.life === "gone" || (state?.state === "ready" && state.bento_tag !== deployment.bento_tag);
}

/** The candidate of an open rollout, which the rollout itself rolls back while there is something to go back to. */
function isRolledBack(
  { deployment }: WantedServer,
  { candidate_id, endpoint, servers }: EndpointFacts,
): boolean {
  if (deployment.deployment_id !== candidate_id) return false;
  const others = servers.filter((one) => one.deployment.deployment_id !== candidate_id);
  const serving = others.filter((one) => (endpoint.weights[one.deployment.deployment_id] ?? 0) > 0);
  return serving.length === 0 || !serving.every((one) => isDead(one) && isGivenUp(one.restarts));
}

function deadServer(server: WantedServer, facts: EndpointFacts): Drift {
  const { deployment, state, restarts } = server;
  return {
    part: "servers",
    subject: deployment.deployment_id,
    found: stateText(state),
    wanted: `ready with ${deployment.bento_tag}${elsewhere(deployment.engine)}, ${purposeOf(deployment.deployment_id, facts.endpoint)}`,
    left: isRolledBack(server, facts)
      ? "it is the candidate of a rollout, which rolls it back"
      : waitsFor(restarts),
  };
}

/** A process that missed fewer probes than make it silent is left alone, since it may still answer its callers. */
function lateServer(server: WantedServer, facts: EndpointFacts): Drift {
  const { life } = server;
  const why = life !== null && "why" in life ? life.why : "it does not answer";
  const drift = { ...deadServer(server, facts), found: `unresponsive: ${why}` };
  return life?.life === "missed" ? { ...drift, left: why } : drift;
}

/** Finishes a replacement that was interrupted. */
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

/** Null when the server is wanted, or draining will end it. Pure. */
export function decideServer({ deployment_id, deployment, busy }: RunningServer): Drift | null {
  const drift = { part: "servers" as const, subject: deployment_id, wanted: "no server" };
  if (deployment === null) {
    const left = "this database knows no such deployment; stop it if no other database shares the home";
    return { ...drift, found: "a server of an unknown deployment", left };
  }
  const isOver = deployment.drained_at !== null || deployment.drain_due_at === null;
  if (!STOPPABLE_STATUSES.includes(deployment.status) || !isOver) return null;
  const found = `a server, though the deployment is ${deployment.status} and was stopped`;
  return { ...drift, found, left: busy === null ? null : `${busy.by}; its endpoint is in use` };
}
