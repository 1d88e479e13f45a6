import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer, type NetConnectOpts, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** Faults between the deployer and a neighbour. */
export const faults = [
  /** Nobody listens. */
  "refuse",
  /** Connections are reset as soon as something is asked. */
  "reset",
  /** Everything is taken, and nothing is ever answered. */
  "black_hole",
  /** Each request is passed on late. */
  "delay",
  /** The request takes effect; the reply is thrown away and the connection reset. */
  "reply_lost",
  /** The request takes effect; half of the reply comes, then a reset. */
  "reply_cut",
] as const;
export type Fault = (typeof faults)[number];

export interface FaultOptions {
  /** So many replies still come through before the fault begins. */
  afterReplies?: number;
  /** Meets only what is asked in these words, the line of an HTTP request for instance. */
  asking?: string;
  /** So many connections meet the fault (`refuse`: all do), then all is well again; for ever unless told. */
  times?: number;
  delayMs?: number;
}

interface Exchange {
  client: Socket;
  upstream: Socket;
  /** Since the last reply. */
  asked: string;
  isAnswered: boolean;
}

/** Stands before a TCP port or a unix socket and does to its connections what a network does on a bad day. */
export class FaultProxy {
  readonly #target: NetConnectOpts;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #at: number | string = 0;
  #fault: Fault | null = null;
  #asking = "";
  #repliesLeft = 0;
  #timesLeft = 0;
  #delayMs = 0;

  private constructor(target: NetConnectOpts) {
    this.#target = target;
  }

  /** `at` is a unix socket's path, or a port of its own on 127.0.0.1 when left out. */
  static async before(target: NetConnectOpts, at: string | 0 = 0): Promise<FaultProxy> {
    const proxy = new FaultProxy(target);
    proxy.#at = at;
    await proxy.#listen();
    return proxy;
  }

  /** The same URL, through this proxy. */
  static async beforeUrl(url: string): Promise<{ proxy: FaultProxy; url: string }> {
    const through = new URL(url);
    const proxy = await FaultProxy.before({ host: through.hostname, port: Number(through.port) });
    through.host = `127.0.0.1:${proxy.#at}`;
    return { proxy, url: through.href.replace(/\/$/, "") };
  }

  /** Whether the fault has met anybody since it was set. */
  hasBitten = false;

  async set(fault: Fault, options: FaultOptions = {}): Promise<void> {
    this.hasBitten = false;
    this.#repliesLeft = options.afterReplies ?? 0;
    this.#timesLeft = options.times ?? Infinity;
    this.#delayMs = options.delayMs ?? 300;
    this.#asking = options.asking ?? "";
    this.#fault = fault;
    if (this.#repliesLeft === 0 && fault === "refuse") await this.#refuse();
  }

  async mend(): Promise<void> {
    this.#fault = null;
    // Who was left without an answer learns now that there will be none.
    this.#resetAll();
    if (this.#server === null) await this.#listen();
  }

  async close(): Promise<void> {
    await this.#stopListening();
  }

  #meets(asked: string, among: readonly Fault[]): Fault | null {
    if (this.#fault === null || !among.includes(this.#fault)) return null;
    if (this.#repliesLeft > 0 || this.#timesLeft <= 0 || !asked.includes(this.#asking)) return null;
    this.hasBitten = true;
    return this.#fault;
  }

  #accept(client: Socket): void {
    const upstream = this.#track(connect(this.#target));
    this.#track(client);
    const exchange = { client, upstream, asked: "", isAnswered: false };
    client.on("data", (piece: Buffer) => void this.#ask(exchange, piece));
    upstream.on("data", (reply: Buffer) => this.#answer(exchange, reply));
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => this.#fault === "black_hole" || client.destroy());
  }

  async #ask(exchange: Exchange, piece: Buffer): Promise<void> {
    const { client, upstream } = exchange;
    exchange.asked = (exchange.isAnswered ? "" : exchange.asked) + piece.toString("latin1");
    exchange.isAnswered = false;
    switch (this.#meets(exchange.asked, ["refuse", "reset", "black_hole", "delay"])) {
      case "refuse":
        return this.#refuse();
      case "reset":
        return this.#spend(client);
      case "black_hole":
        return;
      case "delay":
        await delay(this.#delayMs);
        break;
      default:
        break;
    }
    if (!upstream.destroyed) upstream.write(piece);
  }

  #answer(exchange: Exchange, reply: Buffer): void {
    const { client, upstream, asked } = exchange;
    const fault = this.#meets(asked, ["black_hole", "reply_lost", "reply_cut"]);
    exchange.isAnswered = true;
    if (this.#repliesLeft > 0) this.#repliesLeft -= 1;
    if (fault === "black_hole") return;
    if (fault === null) return void client.write(reply);
    upstream.removeAllListeners("data").resume();
    if (fault === "reply_lost") return this.#spend(client);
    client.write(reply.subarray(0, Math.floor(reply.length / 2)), () => this.#spend(client));
  }

  #spend(client: Socket): void {
    this.#timesLeft -= 1;
    cut(client);
  }

  async #refuse(): Promise<void> {
    this.hasBitten = true;
    await this.#stopListening();
  }

  async #listen(): Promise<void> {
    const server = createServer((client) => this.#accept(client));
    this.#server = server;
    if (typeof this.#at === "string") {
      await rm(this.#at, { force: true });
      server.listen(this.#at);
    } else server.listen(this.#at, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (typeof address === "object" && address !== null) this.#at = address.port;
  }

  async #stopListening(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return this.#resetAll();
    const closed = once(server, "close");
    server.close();
    this.#resetAll();
    await closed;
  }

  #resetAll(): void {
    for (const socket of this.#sockets) cut(socket);
  }

  #track(socket: Socket): Socket {
    this.#sockets.add(socket);
    // A cut connection is what these cases are about; its other end goes with it.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

/** A unix socket knows no reset. */
function cut(socket: Socket): void {
  if (socket.remoteFamily === undefined) socket.destroy();
  else socket.resetAndDestroy();
}
