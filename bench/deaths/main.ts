import { setTimeout as delay } from "node:timers/promises";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { EnvoyRouter } from "../../src/mlops/envoy/envoy_router.ts";
import { ensureToolsEnvironment } from "../../src/platform/python/python_environment.ts";
import { pollUntil } from "../../src/testing/poll.ts";
import { ServerProcess } from "./server_process.ts";
import { load } from "../router/load.ts";
import { runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";

/**
 * What callers lose when two of three servers of one deployment are killed, the second one so many milliseconds after the
 * first, each with requests in its hands.
 *
 * usage: npm run bench:deaths -- [--rounds=5] [--connections=16] [--ms=20]
 */
const ROUNDS = option("rounds", 5);
const CONNECTIONS = option("connections", 16);
/** What a prediction takes. */
const MODEL_MS = option("ms", 20);
const GAPS_MS = [0, 3, 10, 30, 100, 300, 900];
const LONG_MS = 120_000;
/** Answers before the first death, so that all servers have requests, and after the last. */
const AROUND_MS = 700;

interface Losses {
  answered: number;
  lost: number;
  longestMs: number;
}

async function round(router: EnvoyRouter, url: string, gapMs: number, number: number): Promise<Losses> {
  const servers = await Promise.all([1, 2, 3].map(() => ServerProcess.start(MODEL_MS)));
  try {
    const options = { signal: AbortSignal.timeout(LONG_MS) };
    const deployment_id = `model_${number}`;
    const route = { endpoint_name: "deaths", generation: number, weights: { [deployment_id]: 100 } };
    const addresses = servers.map(({ port }) => ({ deployment_id, host: "127.0.0.1", port }));
    await router.apply({ ...route, mirror_deployment_id: null }, addresses, options);
    const answers = () => servers.every((server) => server.isAsked);
    const asked = load(url, { connections: CONNECTIONS, seconds: (2 * AROUND_MS + gapMs) / 1000 });
    await pollUntil(async () => answers(), { deadlineMs: LONG_MS, what: "a request to each server" });
    await delay(AROUND_MS / 2);
    servers[0]?.kill();
    await delay(gapMs);
    servers[1]?.kill();
    const { throughput, lost, longest } = await asked;
    return {
      answered: Math.round((throughput * (2 * AROUND_MS + gapMs)) / 1000),
      lost,
      longestMs: longest,
    };
  } finally {
    await Promise.all(servers.map((server) => server.end()));
  }
}

async function measure(configuration: Configuration): Promise<void> {
  const { envoy } = await ensureToolsEnvironment({ cacheDirectory: configuration.cache });
  const router = new EnvoyRouter({ home: configuration.home, envoyPath: envoy });
  const { endpoint_url } = await router.open("deaths", { signal: AbortSignal.timeout(LONG_MS) });
  const measured = new Map<number, Losses[]>(GAPS_MS.map((gap) => [gap, []]));
  let number = 0;
  for (let done = 0; done < ROUNDS; done += 1) {
    for (const [gap, losses] of measured) losses.push(await round(router, endpoint_url, gap, ++number));
  }
  say(
    `two of three servers killed, ${ROUNDS} times each; ${CONNECTIONS} callers, ${MODEL_MS} ms a prediction`,
  );
  printTable(
    ["ms between the two", "answered", "lost", "in each round", "longest ms"],
    [...measured].map(([gap, rounds]) => [
      String(gap),
      String(rounds.reduce((sum, { answered }) => sum + answered, 0)),
      String(rounds.reduce((sum, { lost }) => sum + lost, 0)),
      rounds.map(({ lost }) => lost).join(" "),
      String(Math.round(Math.max(...rounds.map(({ longestMs }) => longestMs)))),
    ]),
  );
  printMachine();
}

await runInHome(measure);
