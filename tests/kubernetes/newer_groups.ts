import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";
import { request as forwardTls } from "node:https";
import { readFileSync } from "node:fs";

/** Groups that the API server of the tests has under an older name only, with the same fields. */
const OLDER = [
  ["policy/v1", "policy/v1beta1"],
  ["autoscaling/v2", "autoscaling/v2beta2"],
] as const;

/**
 * Passes calls on to an API server of 1.20 and renames two groups, which newer ones call otherwise; nothing else is changed.
 * A process of its own, so that nothing else that the tests do keeps a call waiting.
 *
 * usage: node newer_groups.ts SERVER AUTHORITY
 */
const [server = "", authority = ""] = process.argv.slice(2);
const ca = readFileSync(authority);
const proxy = createServer((incoming, outgoing) => {
  pass(incoming, outgoing).catch(() => outgoing.destroy());
});
proxy.listen(8001, "127.0.0.1");

async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) if (chunk instanceof Buffer) chunks.push(chunk);
  const url = incoming.url ?? "/";
  const pair = OLDER.find(([newer]) => url.startsWith(`/apis/${newer}/`));
  const renamed = (text: string, from: string, to: string) =>
    text.replaceAll(`"apiVersion":"${from}"`, `"apiVersion":"${to}"`);
  const path = pair === undefined ? url : url.replace(`/apis/${pair[0]}/`, `/apis/${pair[1]}/`);
  const sent =
    pair === undefined
      ? Buffer.concat(chunks)
      : Buffer.from(renamed(Buffer.concat(chunks).toString("utf8"), pair[0], pair[1]));
  const { host: _host, connection: _connection, ...headers } = incoming.headers;
  const target = new URL(path, server);
  const send = target.protocol === "https:" ? forwardTls : forward;
  const asked = send(target, {
    method: incoming.method,
    headers: { ...headers, "content-length": String(sent.length) },
    ca,
  });
  asked.on("error", () => outgoing.destroy());
  asked.on("response", (answer) => {
    const received: Buffer[] = [];
    answer.on("data", (chunk: Buffer) => received.push(chunk));
    answer.on("end", () => {
      const body = Buffer.concat(received);
      const told = pair === undefined ? body : Buffer.from(renamed(body.toString("utf8"), pair[1], pair[0]));
      const { "content-length": _length, "transfer-encoding": _encoding, ...rest } = answer.headers;
      outgoing.writeHead(answer.statusCode ?? 502, { ...rest, "content-length": String(told.length) });
      outgoing.end(told);
    });
    answer.on("error", () => outgoing.destroy());
  });
  asked.end(sent);
}
