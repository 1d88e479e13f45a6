import { isRouted, type Traffic } from "../domain/traffic/weights.ts";
import { ServerNotReadyError, ServiceUnavailableError } from "../errors.ts";
import type { ServerObservation } from "../ports/model_server_port.ts";
import type { Unasked } from "./living_servers.ts";
import type { ServerAddress } from "../ports/traffic_router_port.ts";

/**
 * The addresses at which the router reaches a deployment under the wanted traffic; none where its server is away and
 * its share does not grow, or where its engine cannot be asked and the router has its address already.
 * @param present the traffic in force; null where all servers are ready, or nothing is routed
 * @throws ServiceUnavailableError | ServerNotReadyError where its share would grow and it does not answer; the engine's
 * own error where that cannot be asked and the router does not know the deployment
 */
export function addressesOf(
  { id, observed }: { id: string; observed: ServerObservation | Unasked },
  wanted: Traffic,
  present: Traffic | null,
): ServerAddress[] {
  if (observed.state === "unasked") {
    if (present !== null && isRouted(id, present)) return [];
    throw observed.error;
  }
  const isThere =
    observed.state === "ready" ||
    (observed.state === "unresponsive" && present !== null && isRouted(id, present));
  if (isThere) return replicasOf(id, observed);
  if (observed.state === "starting" || present === null || getsMore(id, wanted, present))
    throw notReady(id, observed);
  return [];
}

/** The addresses of all its servers that are ready; that of a single one in any state. */
function replicasOf(
  deployment_id: string,
  observed: Extract<ServerObservation, { host: string }>,
): ServerAddress[] {
  const { host, port, tls } = observed;
  const replicas = observed.state === "ready" ? (observed.replicas ?? []) : [];
  if (replicas.length <= 1) return [{ deployment_id, host, port, ...(tls && { tls }) }];
  const ready = replicas.filter(({ state }) => state === "ready");
  return ready.map((one) => ({ deployment_id, host: one.host, port: one.port }));
}

/** Only a growing share requires an answer, so that traffic can always leave a dead server. */
function getsMore(id: string, wanted: Traffic, present: Traffic): boolean {
  const more = (wanted.weights[id] ?? 0) > (present.weights[id] ?? 0);
  return more || (wanted.mirror_deployment_id === id && present.mirror_deployment_id !== id);
}

/** Retryable while its process runs; a server without a process does not come back by itself. */
function notReady(deploymentId: string, observed: Exclude<ServerObservation, { state: "ready" }>) {
  const why = "reason" in observed ? `${observed.state}: ${observed.reason}` : observed.state;
  const message = `The server of ${deploymentId} is ${why}, so no traffic may go to it`;
  return observed.state === "starting" || observed.state === "unresponsive"
    ? new ServiceUnavailableError("model server", `${message} yet.`)
    : new ServerNotReadyError(`${message}; deploy or roll back to one that answers.`);
}
