import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { buffer } from "node:stream/consumers";
import { openLocalRest } from "../../../src/memory/local_rest/local_rest.ts";

export interface Postgrest {
  url: string;
  key: string;
  close(): Promise<void>;
}

/** The development default's answers, behind a port as Supabase is. */
export async function servePostgrest(databaseUrl: string): Promise<Postgrest> {
  const key = `sb_secret_${randomBytes(24).toString("hex")}`;
  const rest = openLocalRest(databaseUrl, key);
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const body = incoming.method === "GET" ? null : await buffer(incoming);
    const headers = Object.entries(incoming.headers).flatMap(([name, value]): [string, string][] =>
      typeof value === "string" ? [[name, value]] : [],
    );
    const url = `http://memory.invalid${incoming.url ?? "/"}`;
    const reply = await rest.fetch(url, { method: incoming.method ?? "GET", headers, body });
    outgoing.writeHead(reply.status, Object.fromEntries(reply.headers));
    outgoing.end(Buffer.from(await reply.arrayBuffer()));
  };
  const server = createServer((incoming, outgoing) => {
    // A caller that goes away in the middle is what the cases are about.
    answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    key,
    close: async () => {
      const closed = once(server, "close");
      server.closeAllConnections();
      server.close();
      await closed;
      await rest.close();
    },
  };
}
