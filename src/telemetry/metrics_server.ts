import { once } from "node:events";
import { createServer } from "node:http";
import { ServiceRefusedError } from "../agents/model_deployer/errors.ts";
import type { WorkerMetrics } from "./metrics.ts";

export interface MetricsServer {
  /** `http://<host>:<port>/metrics` */
  url: string;
  close(): Promise<void>;
}

/**
 * `GET /metrics` for Prometheus and `GET /healthz`. Port 0 takes a free one.
 * @throws ServiceRefusedError when the port is taken
 */
export async function serveMetrics(
  metrics: WorkerMetrics,
  port: number,
  host: string,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, contentType: string, text: string) =>
      response.writeHead(status, { "content-type": contentType }).end(text);
    if (request.url === "/healthz") return void answer(200, "text/plain", "ok\n");
    if (request.url !== "/metrics") return void answer(404, "text/plain", "there is /metrics and /healthz\n");
    metrics.render().then(
      ({ contentType, text }) => answer(200, contentType, text),
      (error: unknown) => answer(500, "text/plain", `${String(error)}\n`),
    );
  });
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new ServiceRefusedError(
      "metrics",
      `Port ${port} of ${host} cannot be listened at; set MODEL_DEPLOYER_METRICS_PORT to a free one.`,
      { cause },
    );
  }
  // The worker's end does not wait for whoever scrapes it.
  server.unref();
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host}:${bound}/metrics`,
    close: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
