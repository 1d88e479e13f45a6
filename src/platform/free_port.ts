import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "./system_errors.ts";
import { LOOPBACK } from "./loopback.ts";

/** A port of 127.0.0.1 that nobody listens on at this moment; somebody else may take it before it is used. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, LOOPBACK);
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new RangeError(`${LOOPBACK} has no free port`);
  return address.port;
}

/** Whether nobody listens on the port. @throws the system's error where the host is no address of this machine */
export function isPortFree(port: number, host = LOOPBACK): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error) => {
      const isTaken = hasCode(error, "EADDRINUSE", "EACCES");
      if (isTaken) resolve(false);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Whether nobody listens on the port of 127.0.0.1, given a moment to become so: a killed process with threads shows as
 * ended before its last thread lets go of the port.
 */
export async function becomesFree(port: number, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!(await isPortFree(port))) {
    if (performance.now() >= deadline) return false;
    await delay(25);
  }
  return true;
}
