import { setTimeout as delay } from "node:timers/promises";
import { Client } from "undici";
import { percentile } from "../support/figures.ts";

export interface Asked {
  url: string;
  path: string;
  body: string;
}

export interface Load {
  answers: number;
  /** From the first request to the last answer. */
  seconds: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  /** Not answered, or not with 200. */
  lost: number;
}

/** Callers on kept-alive connections, each of which asks again as soon as it has its answer. */
export async function closedLoad(
  asked: Asked,
  options: { connections: number; seconds: number; least: number },
): Promise<Load> {
  const { connections, seconds, least } = options;
  const taken = new Taken();
  const until = performance.now() + seconds * 1000;
  const call = async (): Promise<void> => {
    const client = new Client(asked.url);
    while (performance.now() < until || taken.count < least) await taken.ask(client, asked);
    await client.close();
  };
  await Promise.all(Array.from({ length: connections }, call));
  return taken.load();
}

/** Requests that begin at fixed times, however long those before them take. */
export async function steadyLoad(
  asked: Asked,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Load> {
  const taken = new Taken();
  const client = new Client(asked.url, { pipelining: 1 });
  const spare = new Client(asked.url);
  const begun = performance.now();
  const under: Promise<void>[] = [];
  for (let number = 0; number < perSecond * seconds; number += 1) {
    await delay(Math.max(0, begun + (number * 1000) / perSecond - performance.now()));
    under.push(taken.ask(number % 2 === 0 ? client : spare, asked));
  }
  await Promise.all(under);
  await Promise.all([client.close(), spare.close()]);
  return taken.load();
}

const headers = { "content-type": "application/json" };

class Taken {
  readonly #begun = performance.now();
  readonly #latencies: number[] = [];
  #lost = 0;

  get count(): number {
    return this.#latencies.length + this.#lost;
  }

  async ask(client: Client, { path, body }: Asked): Promise<void> {
    const begun = performance.now();
    try {
      const answer = await client.request({ method: "POST", path, headers, body });
      await answer.body.dump();
      if (answer.statusCode === 200) this.#latencies.push(performance.now() - begun);
      else this.#lost += 1;
    } catch {
      this.#lost += 1;
    }
  }

  load(): Load {
    return {
      answers: this.#latencies.length,
      seconds: (performance.now() - this.#begun) / 1000,
      p50: percentile(this.#latencies, 50),
      p99: percentile(this.#latencies, 99),
      lost: this.#lost,
    };
  }
}
