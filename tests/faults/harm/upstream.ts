import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";

export interface Told {
  /** The model writes so much to its standard output. */
  print_bytes?: number;
  /** The model raises. */
  fail?: boolean;
  /** The server's clock is off by so much from now on. */
  clock_offset_s?: number;
}

/** What the models ask before each prediction: it answers, is slow, hangs, or is away, as it is told. */
export class Upstream {
  readonly port: number;
  #server: Server | null;
  #told: Told = {};
  #delayOf: (asked: number) => number = () => 0;
  #hangs = 0;
  readonly #held = new Set<ServerResponse>();
  /** Questions since it began. */
  asked = 0;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    this.#serve(server);
  }

  static async start(): Promise<Upstream> {
    const server = createServer();
    const port = await listen(server, 0);
    return new Upstream(server, port);
  }

  /** From now on each answer says this; slow ones come so many ms after the question of that number. */
  says(told: Told, delayOf: (asked: number) => number = () => 0): void {
    this.#told = told;
    this.#delayOf = delayOf;
  }

  /** Nobody listens, and what is under way is cut. */
  async goAway(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  }

  /** So many questions are taken and not answered; all of them unless told. */
  hang(questions = Infinity): void {
    this.#hangs = questions;
  }

  get held(): number {
    return this.#held.size;
  }

  /** All is well again, and what was held is answered. */
  async comeBack(): Promise<void> {
    this.#hangs = 0;
    this.says({});
    for (const response of this.#held) this.#answer(response);
    this.#held.clear();
    if (this.#server !== null) return;
    this.#server = createServer();
    this.#serve(this.#server);
    await listen(this.#server, this.port);
  }

  #serve(server: Server): void {
    server.on("request", (_request, response) => {
      this.asked += 1;
      if (this.#hangs > 0) {
        this.#hangs -= 1;
        this.#held.add(response);
        response.once("close", () => this.#held.delete(response));
        return;
      }
      const delay = this.#delayOf(this.asked);
      if (delay === 0) this.#answer(response);
      else setTimeout(() => this.#answer(response), delay);
    });
  }

  #answer(response: ServerResponse): void {
    if (!response.destroyed) response.end(JSON.stringify(this.#told));
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("no port was given");
  return address.port;
}
