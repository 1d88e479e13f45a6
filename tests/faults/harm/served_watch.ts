import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { pollUntil } from "../../../src/testing/poll.ts";
import type { World } from "../../support/world.ts";
import { instancesIn } from "./served_processes.ts";

interface Watched {
  home: string;
  sql: World["sql"];
}

const PAUSE_MS = 300;
const PROBE_MS = 5000;
const ROUTED = `select e.endpoint_name as endpoint, w.key as deployment
  from ml_endpoints e, jsonb_each_text(e.weights) w where w.value::numeric > 0`;
const routedRow = z.object({ endpoint: z.string(), deployment: z.string() });

/**
 * Holds the deployer to one rule: at no moment does it lower the number of servers that answer on an endpoint, except by an
 * operation that somebody asked for. A server counts from its first answer for as long as its processes live, so that one
 * which is held up, starved or slow still counts, and one that was ended does not.
 */
export class ServedWatch {
  readonly #watched: Watched;
  readonly #answeredOnce = new Set<string>();
  readonly #violations = new Set<string>();
  #running: Promise<void> = Promise.resolve();
  #isOver = false;
  looks = 0;

  private constructor(watched: Watched) {
    this.#watched = watched;
  }

  /** Resolves once each deployment that gets traffic has been seen to answer. */
  static async begin(watched: Watched): Promise<ServedWatch> {
    const watch = new ServedWatch(watched);
    await pollUntil(
      async () => {
        watch.#violations.clear();
        await watch.#look();
        return watch.#violations.size === 0;
      },
      { deadlineMs: 120_000, intervalMs: PAUSE_MS, what: "answer of each server" },
    );
    watch.#running = watch.#observe();
    return watch;
  }

  /** A sentence for each deployment that was left without a server. */
  async end(): Promise<string[]> {
    this.#isOver = true;
    await this.#running;
    return [...this.#violations];
  }

  async #observe(): Promise<void> {
    while (!this.#isOver) {
      await this.#look().catch((error: unknown) =>
        this.#violations.add(`the servers could not be looked at: ${String(error)}`),
      );
      await delay(PAUSE_MS);
    }
  }

  async #look(): Promise<void> {
    this.looks += 1;
    const first = await this.#left();
    if (first.length === 0) return;
    // Read again: who lost its traffic meanwhile may be gone, and a record is replaced in more than one move.
    const second = await this.#left();
    for (const sentence of second.filter((one) => first.includes(one))) this.#violations.add(sentence);
  }

  /** A sentence for each deployment that gets traffic and has no server that has answered. */
  async #left(): Promise<string[]> {
    const { home, sql } = this.#watched;
    const routed = routedRow.array().parse(await sql(ROUTED));
    const instances = await instancesIn(home);
    await Promise.all(
      instances.map(async ({ instance, port }) => {
        if (!this.#answeredOnce.has(instance) && (await answers(port))) this.#answeredOnce.add(instance);
      }),
    );
    const serving = instances.filter(({ instance }) => this.#answeredOnce.has(instance));
    return routed
      .filter(({ deployment }) => !serving.some((one) => one.deployment === deployment))
      .map(
        ({ endpoint, deployment }) =>
          `nothing that answers is stopped, but ${deployment} of ${endpoint} was left without a server`,
      );
  }
}

/** Whether its event loop answers; what it predicts is another question. */
async function answers(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/livez`, { signal: AbortSignal.timeout(PROBE_MS) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
