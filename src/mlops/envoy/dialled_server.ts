import { createConnection } from "node:net";
import { noAnswer } from "../../agents/base/deadline.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { ServerAddress } from "../../agents/model_deployer/ports/traffic_router_port.ts";

const DIAL_TIMEOUT_MS = 1_000;

/** @throws ServiceUnavailableError where nothing listens at the address */
export function dial(server: ServerAddress, signal: AbortSignal): Promise<void> {
  const { deployment_id, host, port } = server;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, signal: bounded });
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", (cause) => {
      const why = bounded.aborted ? noAnswer(signal, DIAL_TIMEOUT_MS) : cause.message;
      const message = `deployment ${deployment_id} does not answer at its new address ${host}:${port}: ${why}`;
      reject(new ServiceUnavailableError("model server", message, { cause }));
    });
  });
}
