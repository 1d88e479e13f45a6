import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { z } from "zod";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { EnvoyRouter } from "../../src/mlops/envoy/envoy_router.ts";
import { ensureToolsEnvironment } from "../../src/platform/python/python_environment.ts";
import { type Load, load } from "./load.ts";
import { inRotation, median } from "../support/figures.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";

/**
 * The router's cost: the same model asked directly, through an endpoint's Envoy, and through one that also mirrors
 * to a shadow that takes 300 ms.
 *
 * usage: node bench/router/main.ts [--rounds=5] [--seconds=4] [--connections=16]
 */
const ROUNDS = option("rounds", 5);
const SECONDS = option("seconds", 4);
const CONNECTIONS = option("connections", 16);
const MODEL_MS = 5;
const SHADOW_MS = 300;

async function startModel(modelMs: number, opened: Opened): Promise<number> {
  const thread = new Worker(new URL("./model_thread.ts", import.meta.url), {
    workerData: { model_ms: modelMs },
  });
  opened.closers.push(() => thread.terminate());
  const message: unknown[] = await once(thread, "message");
  return z.int().parse(message[0]);
}

async function openEndpoint(
  router: EnvoyRouter,
  name: string,
  ports: { model: number; shadow: number | null },
) {
  const options = { signal: AbortSignal.timeout(60_000) };
  const { endpoint_url } = await router.open(name, options);
  const host = "127.0.0.1";
  const shadow = ports.shadow === null ? [] : [{ deployment_id: "shadow", host, port: ports.shadow }];
  const route = {
    endpoint_name: name,
    generation: 1,
    weights: { model: 100 },
    mirror_deployment_id: shadow[0]?.deployment_id ?? null,
  };
  await router.apply(route, [{ deployment_id: "model", host, port: ports.model }, ...shadow], options);
  return endpoint_url;
}

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  const { envoy } = await ensureToolsEnvironment({ cacheDirectory: configuration.cache });
  const router = new EnvoyRouter({ home: configuration.home, envoyPath: envoy });
  const model = await startModel(MODEL_MS, opened);
  const shadow = await startModel(SHADOW_MS, opened);
  const urls = {
    direct: `http://127.0.0.1:${model}`,
    "through the router": await openEndpoint(router, "plain", { model, shadow: null }),
    [`with a shadow of ${SHADOW_MS} ms`]: await openEndpoint(router, "mirrored", { model, shadow }),
  };
  const arms = Object.entries(urls).map(([name, url]) => ({
    name,
    run: () => load(url, { connections: CONNECTIONS, seconds: SECONDS }),
  }));
  for (const { run } of arms) await run();
  report(await inRotation(ROUNDS, arms));
}

function report(measured: Map<string, Load[]>): void {
  const [direct = []] = measured.values();
  say(
    `${ROUNDS} rounds of ${SECONDS} s, ${CONNECTIONS} connections, a model of ${MODEL_MS} ms; medians of the rounds`,
  );
  const rows = [...measured].map(([name, rounds]) => {
    const ratios = rounds.map(
      ({ throughput }, round) => throughput / (direct[round]?.throughput ?? Number.NaN),
    );
    const added = rounds.map(({ p99 }, round) => p99 - (direct[round]?.p99 ?? Number.NaN));
    const lost = rounds.reduce((sum, one) => sum + one.lost, 0);
    const medians = (["throughput", "p50", "p99"] as const).map((key) =>
      median(rounds.map((one) => one[key])),
    );
    return [name, ...medians, median(ratios), median(added), String(lost)];
  });
  printTable(["", "requests/s", "p50 ms", "p99 ms", "throughput ratio", "p99 added ms", "lost"], rows);
  printMachine();
}

await runInHome(measure);
