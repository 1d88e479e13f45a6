import { AgentError } from "../agents/base/agent_error.ts";
import type { Deployment, Endpoint } from "../agents/model_deployer/domain/entities.ts";
import { secondsAfter } from "../agents/model_deployer/domain/planned_deployment.ts";
import { isRolloutOpen, type Rollout } from "../agents/model_deployer/domain/rollout.ts";
import type { ServerObservation } from "../agents/model_deployer/ports.ts";
import type { HeldLease, OpenOperation, OutboxBacklog } from "../database/repositories/overview.ts";
import type { Observer } from "../observer.ts";
import { rolloutThread } from "../worker/rollout_thread.ts";
import type { EndpointStatus, StatusReport } from "./schemas.ts";

const OBSERVE_MS = 2000;
/** An outbox entry that waits for longer than this is a part that does not take it. */
const LATE_SECONDS = 60;

/** Everything that status shows, of one endpoint or of all. */
export async function gatherStatus(observer: Observer, endpointName: string | null): Promise<StatusReport> {
  const { database } = observer;
  const [now, all, leases, operations, outbox, shortages] = await Promise.all([
    database.clock.now(),
    database.endpoints.list(),
    database.overview.leases(),
    database.overview.openOperations(),
    database.overview.outbox(),
    observer.shortages(),
  ]);
  const chosen = all.filter((one) => endpointName === null || one.endpoint_name === endpointName);
  const endpoints = await Promise.all(
    chosen.map((endpoint) => endpointStatus(observer, endpoint, leases, operations)),
  );
  const names = new Set(all.map((one) => one.endpoint_name));
  return {
    now,
    endpoints,
    operations: operations.filter((one) => !names.has(one.lease_name)),
    degraded: [...endpoints.flatMap(degradedOf), ...lateOutbox(outbox, now), ...shortages],
  };
}

async function endpointStatus(
  observer: Observer,
  endpoint: Endpoint,
  leases: HeldLease[],
  operations: OpenOperation[],
): Promise<EndpointStatus> {
  const { database } = observer;
  const name = endpoint.endpoint_name;
  const [deployments, rollout, last_change, router] = await Promise.all([
    database.deployments.listForEndpoint(name),
    database.history.lastRollout(name),
    database.overview.lastTrafficChange(name),
    routerState(observer, endpoint),
  ]);
  const { endpoint_url, experiment_id, generation, observed_generation } = endpoint;
  const lease = leases.find((one) => one.name === name);
  const tagOf = (id: string) => deployments.find((one) => one.deployment_id === id)?.bento_tag ?? id;
  const mirror = endpoint.mirror_deployment_id;
  return {
    endpoint_name: name,
    endpoint_url,
    experiment_id,
    generation,
    observed_generation,
    traffic: traffic(endpoint, deployments, rollout),
    mirror: mirror === null ? null : { deployment_id: mirror, bento_tag: tagOf(mirror) },
    rollout: rollout === null ? null : rolloutView(rollout),
    lease:
      lease === undefined ? null : { holder: lease.holder, since: lease.since, expires_at: lease.expires_at },
    servers: await Promise.all(deployments.filter(hasServer).map((one) => serverView(observer, one))),
    operations: operations.filter((one) => one.lease_name === name),
    last_change,
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

function rolloutView(rollout: Rollout): NonNullable<EndpointStatus["rollout"]> {
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
    candidate: judge_state.candidate,
    baseline: judge_state.baseline,
  };
}

function hasServer({ status, drained_at }: Deployment): boolean {
  return status !== "failed" && status !== "pending" && drained_at === null;
}

async function serverView(
  { server }: Observer,
  { deployment_id, bento_tag, status, drain_due_at }: Deployment,
): Promise<EndpointStatus["servers"][number]> {
  const signal = AbortSignal.timeout(2 * OBSERVE_MS);
  const observed = await answered(() => server.observe(deployment_id, { signal, patience_ms: OBSERVE_MS }));
  return {
    deployment_id,
    bento_tag,
    status,
    server: observed?.state ?? "unknown",
    note: observed === null ? null : noteOn(observed),
    warm_until: drain_due_at,
  };
}

function noteOn(observed: ServerObservation): string | null {
  if ("reason" in observed) return observed.reason;
  if (observed.state !== "ready" || observed.predictions === undefined) return null;
  const { threads, under_way, waiting, hung } = observed.predictions;
  if (under_way < threads && hung === 0) return null;
  const others = [...(waiting > 0 ? [`${waiting} waiting`] : []), ...(hung > 0 ? [`${hung} hung`] : [])];
  return [`${under_way} of ${threads} busy`, ...others].join(", ");
}

async function routerState({ router }: Observer, endpoint: Endpoint): Promise<EndpointStatus["router"]> {
  const route = await answered(async () => {
    const options = { signal: AbortSignal.timeout(OBSERVE_MS) };
    return { found: await router.observe(endpoint.endpoint_name, options) };
  });
  if (route === null) return "unknown";
  if (route.found === null) return "absent";
  return route.found.generation === endpoint.generation ? "in_force" : "differs";
}

/** Null when the part does not answer. */
async function answered<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof AgentError || (error instanceof Error && error.name.endsWith("Error"))) return null;
    throw error;
  }
}

function degradedOf(endpoint: EndpointStatus): string[] {
  const name = endpoint.endpoint_name;
  const serving = endpoint.traffic.filter((one) => one.weight > 0).map((one) => one.deployment_id);
  const dead = endpoint.servers.filter(
    (one) => serving.includes(one.deployment_id) && one.server !== "ready",
  );
  return [
    ...(serving.length > 0 && endpoint.router !== "in_force"
      ? [`the router of ${name} is ${endpoint.router === "absent" ? "not running" : endpoint.router}`]
      : []),
    ...dead.map(
      (one) => `${one.deployment_id} (${one.bento_tag}) has traffic and its server is ${one.server}`,
    ),
  ];
}

function lateOutbox({ waiting, oldest, last_error }: OutboxBacklog, now: string): string[] {
  if (oldest === null || (Date.parse(now) - Date.parse(oldest)) / 1000 < LATE_SECONDS) return [];
  const why = last_error === null ? "no worker runs" : last_error;
  return [`${waiting} messages to the registry and the memories wait since ${oldest}: ${why}`];
}
