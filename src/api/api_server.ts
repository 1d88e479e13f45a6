import { once } from "node:events";
import { createServer } from "node:http";
import { getRequestListener } from "@hono/node-server";
import { ServiceRefusedError } from "../agents/model_deployer/errors.ts";
import type { Api } from "./api.ts";

export interface ApiServer {
  /** `http://<host>:<port>` */
  url: string;
  /** Takes no new request, ends event streams, and waits for answers under way. Idempotent. */
  close(): Promise<void>;
}

const LONGEST_HEADERS_MS = 10_000;
const LONGEST_REQUEST_MS = 60_000;
/** Above the longest that an action may take. */
const LONGEST_ANSWER_MS = 35_000;

/** Listens. Port 0 takes a free one. @throws ServiceRefusedError when the port is taken */
export async function listen(api: Api, { host, port }: { host: string; port: number }): Promise<ApiServer> {
  const listener = getRequestListener(api.fetch, { overrideGlobalObjects: false });
  const server = createServer(
    { headersTimeout: LONGEST_HEADERS_MS, requestTimeout: LONGEST_REQUEST_MS },
    (request, response) => void listener(request, response),
  );
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new ServiceRefusedError(
      "api",
      `Port ${port} of ${host} cannot be listened at; name a free one with --port.`,
      {
        cause,
      },
    );
  }
  const address = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    close: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      api.end();
      server.closeIdleConnections();
      const patience = setTimeout(() => {
        server.closeAllConnections();
      }, LONGEST_ANSWER_MS);
      await closed;
      clearTimeout(patience);
    },
  };
}
