import { Client } from "undici";
import { percentile } from "../support/figures.ts";

export interface Load {
  /** Answers a second. */
  throughput: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
  longest: number;
  /** Not answered, or not with 200. */
  lost: number;
}

const BODY = JSON.stringify({ entity_id: "bench", features: { age: 51, tenure: 3 }, time_horizon: "30d" });

/** Callers on kept-alive connections, each of which asks again as soon as it has its answer. */
export async function load(url: string, options: { connections: number; seconds: number }): Promise<Load> {
  const until = performance.now() + options.seconds * 1000;
  const latencies: number[] = [];
  let lost = 0;
  const call = async (): Promise<void> => {
    const client = new Client(url);
    const headers = { "content-type": "application/json" };
    while (performance.now() < until) {
      const begun = performance.now();
      try {
        const { statusCode, body } = await client.request({
          method: "POST",
          path: "/predict",
          headers,
          body: BODY,
        });
        await body.dump();
        if (statusCode === 200) latencies.push(performance.now() - begun);
        else lost += 1;
      } catch {
        lost += 1;
      }
    }
    await client.close();
  };
  await Promise.all(Array.from({ length: options.connections }, call));
  return {
    throughput: latencies.length / options.seconds,
    p50: percentile(latencies, 50),
    p99: percentile(latencies, 99),
    longest: percentile(latencies, 100),
    lost,
  };
}
