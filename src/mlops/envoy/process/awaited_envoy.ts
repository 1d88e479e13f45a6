import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../../../agents/base/agent_error.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { EnvoyAdmin } from "../admin.ts";
import { envoyService } from "../admin_readings.ts";
import { isListenerFree, type EndpointFolder, type Listener } from "../endpoint_folder.ts";
import { isRunning, lastComplaint } from "./running_envoy.ts";

const START_DEADLINE_MS = 15_000;
const PORT_GRACE_MS = 2_000;
export const POLL_MS = 5;

/** The kernel takes a moment to close a killed Envoy's sockets; a port that stays taken longer is somebody else's. */
export async function untilPortIsFree(folder: EndpointFolder, listener: Listener): Promise<void> {
  const deadline = performance.now() + PORT_GRACE_MS;
  while (!(await isListenerFree(listener.port, listener.host))) {
    if (await isRunning(folder)) return;
    if (performance.now() > deadline) throw portTaken(folder, listener);
    await delay(POLL_MS);
  }
}

/** @throws EndpointCreationError | ServiceUnavailableError */
export async function untilReady(
  folder: EndpointFolder,
  listener: Listener,
  { signal, isAdopted }: { signal: AbortSignal; isAdopted: boolean },
): Promise<void> {
  const admin = new EnvoyAdmin(folder.endpoint_name, listener.admin_socket);
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(START_DEADLINE_MS)]);
  let lastError: unknown;
  try {
    while (!bounded.aborted) {
      try {
        const state = await admin.state(bounded);
        if (state === "LIVE" && (await admin.route(bounded)) !== null) return;
        if (state === "LIVE" && (await hasNoListener(admin, bounded))) {
          throw await startFailure(folder, listener, { cause: lastError, listens: false });
        }
      } catch (error) {
        if (!(error instanceof AgentError) || error instanceof EndpointCreationError) throw error;
        lastError = error;
      }
      if (!(await isRunning(folder))) throw await startFailure(folder, listener, { cause: lastError });
      await delay(POLL_MS);
    }
    // An adopted Envoy may answer again; one that we started and that never answered is of no use.
    if (!signal.aborted && !isAdopted) throw await startFailure(folder, listener, { cause: lastError });
    throw new ServiceUnavailableError(
      envoyService,
      `opening endpoint ${folder.endpoint_name} was given up before its Envoy was ready`,
      { cause: lastError },
    );
  } finally {
    await admin.disconnect();
  }
}

/** One that it cannot have, since the port is taken or its certificate is of no use. */
async function hasNoListener(admin: EnvoyAdmin, signal: AbortSignal): Promise<boolean> {
  const found = await admin.ingress(signal);
  return found !== null && found.listener.version === "" && found.listener.rejected > 0;
}

async function startFailure(
  folder: EndpointFolder,
  listener: Listener,
  { cause, listens = true }: { cause: unknown; listens?: boolean },
): Promise<EndpointCreationError> {
  const name = folder.endpoint_name;
  const runs = await isRunning(folder);
  if (!(runs && listens) && !(await isListenerFree(listener.port, listener.host)))
    return portTaken(folder, listener, cause);
  const end = runs ? "was not ready in time" : "ended at its start";
  return new EndpointCreationError(`Envoy of endpoint ${name} ${end}: ${await lastComplaint(folder)}`, {
    cause,
    details: { endpoint_name: name, port: listener.port },
  });
}

function portTaken(folder: EndpointFolder, { host, port }: Listener, cause?: unknown): EndpointCreationError {
  const name = folder.endpoint_name;
  return new EndpointCreationError(
    `endpoint ${name} keeps port ${port} on ${host}, which another program has taken; end that program`,
    { cause, details: { endpoint_name: name, port } },
  );
}
