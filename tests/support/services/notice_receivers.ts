import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { onTestFinished } from "vitest";
import { cloudEventSchema } from "../../../src/notifications/cloud_event.ts";

interface Received {
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

/** An HTTP server on 127.0.0.1 that keeps what it is sent, and answers as it is told. */
export class NoticeReceiver {
  readonly received: Received[] = [];
  /** The status that it answers with; null: it takes the connection and says nothing. */
  answers: number | null = 204;
  location = "";
  /** Bodies that it answers with 400. */
  refuses: (body: string) => boolean = () => false;
  #server: Server | null = null;
  #port = 0;

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        if (this.answers === null) return;
        const status = this.refuses(body) ? 400 : this.answers;
        if (status < 300) this.received.push({ path: request.url ?? "", headers: request.headers, body });
        response.writeHead(status, this.location === "" ? {} : { location: this.location }).end();
      });
    });
    server.listen(this.#port, "127.0.0.1");
    await once(server, "listening");
    const address = server.address() satisfies AddressInfo | string | null;
    this.#port = typeof address === "object" && address !== null ? address.port : 0;
    this.#server = server;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** What came, verified by the secret. */
  events(secret: string) {
    return this.received.map(({ body, headers }) => {
      const signed = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, String(value)]),
      );
      new Webhook(secret).verify(body, signed);
      return cloudEventSchema.parse(JSON.parse(body));
    });
  }
}

/** Stopped when the test ends. */
export async function givenReceiver(): Promise<NoticeReceiver> {
  const receiver = await new NoticeReceiver().start();
  onTestFinished(() => receiver.stop());
  return receiver;
}
