import { createServer, request as forward, type Server } from "node:http";
import { once } from "node:events";

/** Stands before a real server and loses the replies that a test names; what was asked has happened all the same. */
export class LossyProxy {
  readonly #server: Server;
  #toLose: { path: string; times: number } | null = null;

  constructor(target: string) {
    this.#server = createServer((incoming, outgoing) => {
      const headers = { ...incoming.headers, host: new URL(target).host };
      const upstream = forward(`${target}${incoming.url ?? ""}`, { method: incoming.method, headers });
      upstream.on("response", (answer) => {
        if (this.#loses(incoming.url ?? "")) {
          answer.resume().on("end", () => outgoing.destroy());
          return;
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      upstream.on("error", () => outgoing.destroy());
      incoming.pipe(upstream);
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  loseReplies(path: string, times: number): void {
    this.#toLose = { path, times };
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.closeAllConnections();
    this.#server.close();
    await closed;
  }

  #loses(url: string): boolean {
    if (this.#toLose === null || !url.includes(this.#toLose.path) || this.#toLose.times === 0) return false;
    this.#toLose.times -= 1;
    return true;
  }
}
