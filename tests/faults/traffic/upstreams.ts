import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { z } from "zod";
import { fromUpstreamsSchema, type toUpstreamsSchema } from "./messages.ts";

/** Starts and kills model servers in their thread, one at a time. */
export class Upstreams {
  readonly #thread = new Worker(new URL("./upstreams_thread.ts", import.meta.url));

  /** @param port the one that it shall have; 0 for any, as for one that is taken */
  async start(name: string, port = 0): Promise<number> {
    return this.#ask({ kind: "start", name, port });
  }

  async kill(port: number): Promise<void> {
    await this.#ask({ kind: "kill", port });
  }

  async end(): Promise<void> {
    await this.#thread.terminate();
  }

  async #ask(message: z.input<typeof toUpstreamsSchema>): Promise<number> {
    const answer = once(this.#thread, "message");
    this.#thread.postMessage(message);
    const told: unknown[] = await answer;
    return fromUpstreamsSchema.parse(told[0]).port;
  }
}
