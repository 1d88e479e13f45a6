import { createServer, type Server } from "node:http";
import { parentPort } from "node:worker_threads";
import { hasCode } from "../../../src/platform/system_errors.ts";
import { toUpstreamsSchema } from "./messages.ts";

/** Model servers that say who they are, in a thread of their own; `x-answer-after` asks for a slow answer. */
const servers = new Map<number, Server>();

function serverOf(name: string): Server {
  return createServer((request, response) => {
    request.resume();
    const after = Number(request.headers["x-answer-after"] ?? 0);
    const answer = () => {
      response.writeHead(200, { "content-type": "text/plain" }).end(name);
    };
    if (after > 0) setTimeout(answer, after);
    else answer();
  });
}

/** A port that somebody else has taken meanwhile is given up for any other. */
function listen(name: string, wanted: number): Promise<number> {
  const server = serverOf(name);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (wanted !== 0 && hasCode(error, "EADDRINUSE")) listen(name, 0).then(resolve, reject);
      else reject(error);
    });
    server.listen(wanted, "127.0.0.1", () => {
      const address = server.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      servers.set(port, server);
      resolve(port);
    });
  });
}

function kill(port: number): Promise<void> {
  const server = servers.get(port);
  servers.delete(port);
  return new Promise((resolve) => {
    if (server === undefined) {
      resolve();
      return;
    }
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
}

parentPort?.on("message", (message: unknown) => {
  const asked = toUpstreamsSchema.parse(message);
  const done =
    asked.kind === "start" ? listen(asked.name, asked.port) : kill(asked.port).then(() => asked.port);
  void done.then((port) => {
    parentPort?.postMessage({ port });
  });
});
