import { Duplex } from "node:stream";
import { kindOf, leavesIdle, queryMessage, WELCOME } from "./postgres_messages.ts";

/** A database's access to a server that works for one connection at a time. */
export interface ServerAccess {
  /** Waits until no other connection uses the server. @returns how it is released */
  acquire(): Promise<() => Promise<void>>;
  /** Whole messages to the server; its answer to them. */
  send(messages: Buffer): Promise<Buffer>;
}

/**
 * A stream that `pg` takes for its socket, connected to the server in this process. A transaction keeps the server from
 * its first statement to its last, and other connections' statements wait.
 */
export class VirtualConnection extends Duplex {
  readonly #access: ServerAccess;
  #batch: Buffer[] = [];
  #release: (() => Promise<void>) | null = null;

  constructor(access: ServerAccess) {
    super();
    this.#access = access;
  }

  connect(): void {
    process.nextTick(() => this.emit("connect"));
  }

  setNoDelay(): void {
    // There is no delay.
  }

  ref(): void {
    // The stream never keeps the process alive.
  }

  unref(): void {
    // The stream never keeps the process alive, so there is nothing to undo.
  }

  override _read(): void {
    // An answer is pushed when it is there.
  }

  /** Each piece is one message: `pg` writes them so. */
  override _writev(pieces: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    let batches: Buffer[] = [];
    for (const { chunk } of pieces) {
      const kind = kindOf(chunk);
      if (kind === "opening") this.push(WELCOME);
      if (kind === "part of a batch" || kind === "end of a batch") this.#batch.push(chunk);
      if (kind !== "end of a batch") continue;
      batches = batches.concat(this.#batch);
      this.#batch = [];
    }
    if (batches.length === 0) return done();
    this.#answer(Buffer.concat(batches)).then(() => {
      done();
    }, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.push(null);
    this.#rollBack().then(() => {
      done();
    }, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#rollBack().then(() => {
      done(error);
    }, done);
  }

  async #answer(messages: Buffer): Promise<void> {
    this.#release ??= await this.#access.acquire();
    if (this.destroyed) return this.#rollBack();
    const answer = await this.#access.send(messages);
    if (leavesIdle(answer)) await this.#leave();
    this.push(answer);
  }

  /** As a server does when a connection ends in the middle of a transaction. */
  async #rollBack(): Promise<void> {
    if (this.#release === null) return;
    try {
      await this.#access.send(queryMessage("rollback"));
    } finally {
      await this.#leave();
    }
  }

  async #leave(): Promise<void> {
    const release = this.#release;
    this.#release = null;
    await release?.();
  }
}
