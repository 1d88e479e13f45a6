import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";

/**
 * The way out of the cluster's network namespace, for what installs packages: a proxy for `CONNECT` on a unix socket, which
 * both sides reach.
 */
export async function startWayOut(socketPath: string): Promise<() => void> {
  const server = createHttpServer();
  server.on("connect", (request, caller, head) => {
    const [host = "", port = "443"] = (request.url ?? "").split(":");
    const target = connect(Number(port), host, () => {
      caller.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.write(head);
      target.pipe(caller).pipe(target);
    });
    target.on("error", () => caller.destroy());
    caller.on("error", () => target.destroy());
  });
  server.listen(socketPath);
  await once(server, "listening");
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

/** The other end of it, at an address of the namespace. */
export async function startWayOutInside(socketPath: string): Promise<string> {
  const server = createServer((caller) => {
    const target = connect(socketPath);
    caller.pipe(target).pipe(caller);
    caller.on("error", () => target.destroy());
    target.on("error", () => caller.destroy());
  });
  server.listen(3128, "127.0.0.1");
  await once(server, "listening");
  return "http://127.0.0.1:3128";
}
