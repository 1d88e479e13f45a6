import { createServer } from "node:http";
import { parentPort, workerData } from "node:worker_threads";
import { z } from "zod";

/** A model that answers after a fixed time, in a thread of its own. */
const { model_ms } = z.object({ model_ms: z.number() }).parse(workerData);

const server = createServer((request, response) => {
  request.resume();
  setTimeout(() => {
    response.setHeader("content-type", "application/json");
    response.end('{"prediction":1}');
  }, model_ms);
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  parentPort?.postMessage(address !== null && typeof address === "object" ? address.port : 0);
});
