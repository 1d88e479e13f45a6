import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { z } from "zod";
import { TrafficLedger } from "./ledger.ts";
import { type callersDataSchema, type CallersReport, callersReportSchema } from "./messages.ts";

const CALLERS = { busy: 16, slow: 6, held: 10 };

/** The load on one endpoint, in a thread of its own, from `start` until `end`. */
export class Callers {
  readonly ledger = TrafficLedger.withSlots(CALLERS.busy + CALLERS.slow + CALLERS.held);
  #thread: Worker | null = null;

  start(endpoint_url: string): void {
    const workerData: z.input<typeof callersDataSchema> = {
      endpoint_url,
      ledger: this.ledger.memory,
      ...CALLERS,
    };
    this.#thread = new Worker(new URL("./callers_thread.ts", import.meta.url), { workerData });
  }

  /** Waits for what is still under way. */
  async end(): Promise<CallersReport> {
    const nothing = { lost: 0, over_a_switch: 0, on_held_connections: 0, sent_again: 0, wrong: [] };
    if (this.#thread === null) return nothing;
    const told = once(this.#thread, "message");
    this.ledger.add("isOver");
    const message: unknown[] = await told;
    this.#thread = null;
    return callersReportSchema.parse(message[0]);
  }

  async abandon(): Promise<void> {
    await this.#thread?.terminate();
  }
}
