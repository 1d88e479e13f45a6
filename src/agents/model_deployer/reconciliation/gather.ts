import { AgentError } from "../../base/agent_error.ts";
import { decideEndpoint, type EndpointDrift } from "./decide.ts";
import type { Deployment } from "../domain/entities.ts";
import type { WantedReplica, WantedServer } from "./facts.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { ModelServer, ServerObservation } from "../ports/model_server_port.ts";
import type { TrafficRouter } from "../ports/traffic_router_port.ts";
import type { MeasuredServers } from "./capacity/measured_servers.ts";
import type { Liveness } from "../effects/remembered_misses.ts";
import type { DatabaseClock } from "../ports/stores/history_store.ts";
import type { StoredEndpointFacts } from "../ports/stores/entity_stores.ts";

interface ObservedParts {
  router: Pick<TrafficRouter, "observe">;
  server: Pick<ModelServer, "observe">;
  clock: DatabaseClock;
  liveness: Liveness;
  /** Left out by whoever only looks. */
  usage?: MeasuredServers;
}

/**
 * Reads how the router and the servers of one endpoint differ from the database, and changes nothing. A part that
 * cannot be asked counts as no drift, and gets a sentence in `unchecked`.
 */
export async function lookAtEndpoint(
  { endpoint, busy, candidate_id, served, unreached }: StoredEndpointFacts,
  { router, server, clock, liveness, usage }: ObservedParts,
  unchecked: string[],
  options: CallOptions,
): Promise<EndpointDrift> {
  const name = endpoint.endpoint_name;
  const [route, servers] = await Promise.all([
    asked(unchecked, name, undefined, () => router.observe(name, options)),
    Promise.all(
      served.map(async ({ deployment, version, restarts }): Promise<WantedServer> => {
        const id = deployment.deployment_id;
        const state = await asked(unchecked, id, null, () => server.observe(id, options));
        const life = state === null ? null : await liveness.judge(deployment, state, () => clock.now());
        const replicas = state === null ? null : await replicasOf(deployment, state, liveness, clock);
        const isMeasured = state?.state === "ready" && usage !== undefined;
        const none = { usage: [], scale: null };
        const used = isMeasured
          ? await asked(unchecked, id, none, () => usage.of(deployment, options))
          : none;
        return { deployment, version, state, life, replicas, ...used, restarts };
      }),
    ),
  ]);
  return decideEndpoint({ endpoint, busy, candidate_id, route, servers, unreached });
}

async function replicasOf(
  { deployment_id, target_stage }: Deployment,
  state: ServerObservation,
  liveness: Liveness,
  clock: DatabaseClock,
): Promise<WantedReplica[] | null> {
  if (state.state !== "ready" || state.replicas === undefined) return null;
  return Promise.all(
    state.replicas.map(async (observed) => {
      const { replica } = observed;
      const { bento_tag } = state;
      const { host, port } = observed;
      const seen = observed.state === "ready" ? { state: observed.state, host, port, bento_tag } : observed;
      const server = { deployment_id: `${deployment_id}#${replica}`, target_stage };
      return { replica, life: await liveness.judge(server, seen, () => clock.now()) };
    }),
  );
}

async function asked<T, U>(
  unchecked: string[],
  subject: string,
  otherwise: U,
  ask: () => Promise<T>,
): Promise<T | U> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const sentence = `${subject}: ${error.message}`;
    if (!unchecked.includes(sentence)) unchecked.push(sentence);
    return otherwise;
  }
}
