import type { Deployment, Endpoint } from "../../agents/model_deployer/domain/entities.ts";
import { secondsAfter } from "../../agents/model_deployer/planning/planned_deployment.ts";
import { countsOf } from "../../agents/model_deployer/judge/verdict.ts";
import { isRolloutOpen, type Rollout } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import { isRouted } from "../../agents/model_deployer/domain/traffic/weights.ts";
import { failedStarts, waitsFor } from "../../agents/model_deployer/domain/servers/server_restarts.ts";
import type {
  ModelServer,
  SampleOutcome,
  SamplePredictions,
} from "../../agents/model_deployer/ports/model_server_port.ts";
import type { EndpointIngress } from "../../agents/model_deployer/ports/ingress_ports.ts";
import type { TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import type {
  HeldLease,
  OpenOperation,
  WaitingRestart,
} from "../../database/repositories/reading/overview.ts";
import { addressUnder } from "../ingress/ingress_administration.ts";
import { isIdle, noteOn, replicasOf } from "../endpoints/observed_server.ts";
import { rolloutThread } from "../../worker/rollouts/rollout_thread.ts";
import { machineStatus, type ObservedMachine } from "./machine_status.ts";
import { shownOperations } from "./shown_operations.ts";
import { degradedOf } from "./status_problems.ts";
import { answered, serverSeen } from "./answered.ts";
import type { EndpointStatus, StatusReport } from "../report_schemas.ts";

export interface StatusSource extends ObservedMachine {
  server: Pick<ModelServer, "observe"> & SamplePredictions;
  router: Pick<TrafficRouter, "observe">;
  /** Null where the router lets everybody in. */
  ingress: EndpointIngress | null;
}

const OBSERVE_MS = 2000;

/**
 * Collects the status of one endpoint or of all.
 * @param sees the experiments that are shown, without what is the machine's; null: all
 */
export async function gatherStatus(
  observer: StatusSource,
  endpointName: string | null,
  sees: ((experimentId: string) => boolean) | null = null,
): Promise<StatusReport> {
  const { database } = observer;
  const [now, all, leases, operations, restarts, machine] = await Promise.all([
    database.clock.now(),
    database.endpoints.list(),
    database.overview.leases(),
    database.overview.openOperations(),
    database.overview.restarts(),
    sees === null ? machineStatus(observer) : { under_way: [], degraded: [] },
  ]);
  const chosen = all.filter(
    (one) =>
      (endpointName === null || one.endpoint_name === endpointName) && (sees?.(one.experiment_id) ?? true),
  );
  const endpoints = await Promise.all(
    chosen.map((endpoint) => endpointStatus(observer, endpoint, { leases, operations, restarts })),
  );
  const names = new Set(all.map((one) => one.endpoint_name));
  const others = operations.filter((one) => !names.has(one.lease_name));
  return {
    now,
    endpoints,
    operations: sees === null ? others : await shownOperations(others, database, sees),
    under_way: machine.under_way,
    degraded: [...endpoints.flatMap(degradedOf), ...machine.degraded],
  };
}

interface Known {
  leases: HeldLease[];
  operations: OpenOperation[];
  restarts: WaitingRestart[];
}

async function endpointStatus(
  observer: StatusSource,
  endpoint: Endpoint,
  { leases, operations, restarts }: Known,
): Promise<EndpointStatus> {
  const { database } = observer;
  const name = endpoint.endpoint_name;
  const [deployments, rollout, last_change, router, ingress] = await Promise.all([
    database.deployments.listForEndpoint(name),
    database.history.lastRollout(name),
    database.overview.lastTrafficChange(name),
    routerState(observer, endpoint),
    ingressState(observer, name),
  ]);
  const { endpoint_url, experiment_id, generation, observed_generation } = endpoint;
  const lease = leases.find((one) => one.name === name);
  const tagOf = (id: string) => deployments.find((one) => one.deployment_id === id)?.bento_tag ?? id;
  const mirror = endpoint.mirror_deployment_id;
  return {
    endpoint_name: name,
    endpoint_url: addressUnder(ingress.policy, endpoint_url),
    experiment_id,
    generation,
    observed_generation,
    traffic: traffic(endpoint, deployments, rollout),
    mirror: mirror === null ? null : { deployment_id: mirror, bento_tag: tagOf(mirror) },
    rollout: rollout === null ? null : rolloutView(rollout),
    lease:
      lease === undefined ? null : { holder: lease.holder, since: lease.since, expires_at: lease.expires_at },
    servers: await Promise.all(
      deployments.filter(hasServer).map((one) => serverView(observer, one, endpoint, restarts)),
    ),
    operations: operations.filter((one) => one.lease_name === name),
    last_change,
    ingress,
    router,
  };
}

function traffic(
  endpoint: Endpoint,
  deployments: Deployment[],
  rollout: Rollout | null,
): EndpointStatus["traffic"] {
  const isOpen = rollout !== null && isRolloutOpen(rollout);
  const roleOf = (id: string): EndpointStatus["traffic"][number]["role"] => {
    if (isOpen && id === rollout.deployment_id) return "candidate";
    return isOpen && id === rollout.baseline_deployment_id ? "baseline" : "serving";
  };
  const ids = new Set([
    ...Object.keys(endpoint.weights),
    ...(isOpen ? [rollout.baseline_deployment_id, rollout.deployment_id] : []),
  ]);
  return [...ids].map((id) => {
    const deployment = deployments.find((one) => one.deployment_id === id);
    return {
      deployment_id: id,
      bento_tag: deployment?.bento_tag ?? id,
      model_version_id: deployment?.model_version_id ?? "",
      weight: endpoint.weights[id] ?? 0,
      role: roleOf(id),
    };
  });
}

export function rolloutView(rollout: Rollout): NonNullable<EndpointStatus["rollout"]> {
  const { rollout_id, status, step_index, steps, pause, verdict, judge_state } = rollout;
  const step = steps[step_index];
  const isWatched = status === "completed" && rollout.next_tick_at !== null;
  const goesOn = status === "running" && step !== undefined && step_index + 1 < steps.length;
  return {
    rollout_id,
    thread_id: rolloutThread(rollout_id),
    status,
    step_index,
    steps,
    next_step_at: goesOn ? secondsAfter(rollout.step_started_at, step.bake_seconds) : null,
    watched_until: isWatched ? rollout.watched_until : null,
    pause,
    verdict,
    candidate: countsOf(judge_state.candidate),
    baseline: countsOf(judge_state.baseline),
  };
}

function hasServer({ status, drained_at }: Deployment): boolean {
  return status !== "failed" && status !== "pending" && drained_at === null;
}

type ServerView = EndpointStatus["servers"][number];

async function serverView(
  { server }: StatusSource,
  { deployment_id, bento_tag, engine, status, drain_due_at, replicas }: Deployment,
  endpoint: Endpoint,
  restarts: WaitingRestart[],
): Promise<ServerView> {
  const signal = AbortSignal.timeout(2 * OBSERVE_MS);
  const { observed, refused } = await serverSeen(() =>
    server.observe(deployment_id, { signal, patience_ms: OBSERVE_MS }),
  );
  const asks = observed !== null && isIdle(observed) && isRouted(deployment_id, endpoint);
  const sample = asks ? await sampleOf(server, deployment_id) : null;
  const waiting = restarts.find((one) => one.deployment_id === deployment_id) ?? null;
  return {
    deployment_id,
    bento_tag,
    engine,
    status,
    server: observed?.state ?? "unknown",
    replicas: observed === null ? [] : replicasOf(observed, replicas),
    note: observed === null ? refused : noteOn(observed),
    sample_failure: sample?.sample === "failed" ? sample.reason : null,
    restart: waiting === null ? null : (waitsFor(waiting) ?? `${failedStarts(waiting)}; it is tried again`),
    warm_until: drain_due_at,
  };
}

async function sampleOf(server: SamplePredictions, deploymentId: string): Promise<SampleOutcome | null> {
  const signal = AbortSignal.timeout(OBSERVE_MS);
  return answered(() => server.trySample(deploymentId, { signal }));
}

async function routerState({ router }: StatusSource, endpoint: Endpoint): Promise<EndpointStatus["router"]> {
  const route = await answered(async () => {
    const options = { signal: AbortSignal.timeout(OBSERVE_MS) };
    return { found: await router.observe(endpoint.endpoint_name, options) };
  });
  if (route === null) return "unknown";
  if (route.found === null) return "absent";
  return route.found.generation === endpoint.generation ? "in_force" : "differs";
}

async function ingressState(
  { database, ingress }: StatusSource,
  endpointName: string,
): Promise<EndpointStatus["ingress"]> {
  const options = { signal: AbortSignal.timeout(OBSERVE_MS) };
  const [{ revision, policy }, enforced] = await Promise.all([
    database.ingressPolicies.wanted(endpointName),
    answered(async () => (await ingress?.enforced(endpointName, options)) ?? null),
  ]);
  return { revision, enforced, policy };
}
