import { AgentError } from "../base/agent_error.ts";
import { decideEndpoint, type EndpointDrift, type WantedServer } from "./domain/reconciliation.ts";
import type { CallOptions, ModelServer, TrafficRouter } from "./ports.ts";
import type { Liveness } from "./liveness.ts";
import type { DatabaseClock, StoredEndpointFacts } from "./store_ports.ts";

interface Looked {
  router: Pick<TrafficRouter, "observe">;
  server: Pick<ModelServer, "observe">;
  clock: DatabaseClock;
  liveness: Liveness;
}

/**
 * How the router and the servers of one endpoint differ from what the database says; nothing is changed. What cannot be
 * asked is taken for no drift, and gets a sentence in `unchecked`.
 */
export async function lookAtEndpoint(
  { endpoint, busy, candidate_id, served }: StoredEndpointFacts,
  { router, server, clock, liveness }: Looked,
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
        return { deployment, version, state, life, restarts };
      }),
    ),
  ]);
  return decideEndpoint({ endpoint, busy, candidate_id, route, servers });
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
