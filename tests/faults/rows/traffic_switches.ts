import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { TrafficRouter } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { EnvoyRouter } from "../../../src/mlops/envoy/envoy_router.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import type { FaultRow, RowOptions, RowResult } from "../harness/fault_row.ts";
import { Callers } from "../traffic/callers.ts";
import { RouteObserver } from "../traffic/route_observer.ts";
import { type Switch, switchScript } from "../traffic/switch_script.ts";
import { SwitchedEndpoint } from "../traffic/switched_endpoint.ts";
import { Upstreams } from "../traffic/upstreams.ts";

const ENDPOINT = "switched";
const SIZES = {
  selection: { switches: 40, requests: 5_000, reopenEvery: 20 },
  whole: { switches: 1_200, requests: 1_050_000, reopenEvery: 100 },
};
const PACE_DEADLINE_MS = 60_000;

export const trafficSwitches: FaultRow = {
  name: "traffic-switches",
  fault:
    "An endpoint's traffic is switched under load on the real router, while servers die, move and are replaced, routers race, and the listener is reopened: every request is answered, and by nobody whose weight an acknowledged generation took away.",
  run: async (options) => {
    const { envoy } = await ensureToolsEnvironment({ cacheDirectory: options.services.cacheDirectory });
    const home = await mkdtemp(join(tmpdir(), "model-deployer-switches-"));
    const router = new EnvoyRouter({ home, envoyPath: envoy });
    const other = new EnvoyRouter({ home, envoyPath: envoy });
    const callers = new Callers();
    const upstreams = new Upstreams();
    try {
      const parts = { name: ENDPOINT, router, other, upstreams, ledger: callers.ledger };
      return await switchUnderLoad(new SwitchedEndpoint(parts), callers, other, options);
    } finally {
      await callers.abandon();
      await router.close(ENDPOINT, { signal: AbortSignal.timeout(30_000) });
      await upstreams.end();
      await rm(home, { recursive: true, force: true });
    }
  },
};

async function switchUnderLoad(
  endpoint: SwitchedEndpoint,
  callers: Callers,
  router: TrafficRouter,
  { extent, seed, onProgress }: RowOptions,
): Promise<RowResult> {
  const { switches, requests, reopenEvery } = SIZES[extent];
  const { ledger } = callers;
  const script = switchScript(seed, switches, reopenEvery);
  const began = performance.now();
  callers.start(await endpoint.open());
  const observer = new RouteObserver(router, ENDPOINT, ledger);
  observer.start();
  const wrong: { at: number; what: string }[] = [];
  for (const [index, one] of script.entries()) {
    const at = ledger.add("switches");
    const what = await problemOf(endpoint, router, one);
    if (what !== null) wrong.push({ at, what });
    const target = Math.floor((requests * (index + 1)) / switches);
    const wait = { deadlineMs: PACE_DEADLINE_MS, intervalMs: 1, what: `${target} answers` };
    await pollUntil(() => ledger.read("answered") >= target, wait);
    if ((index + 1) % 100 === 0) onProgress(`${index + 1} switches, ${ledger.read("answered")} answers`);
  }
  const report = await callers.end();
  const observed = await observer.end();
  const answered = ledger.read("answered");
  const rate = Math.round(answered / ((performance.now() - began) / 1000));
  return {
    cases: switches,
    converged: switches - wrong.length,
    lost: report.lost,
    violations: [...wrong, ...report.wrong, ...observed.wrong].map(
      ({ at, what }) => `seed ${seed}, switch ${at} (${script[at - 1]?.kind ?? "none"}): ${what}`,
    ),
    notes: [
      `${switches} switches, ${answered} answers (${rate} a second), ${observed.looks} observations of the route`,
      `${report.over_a_switch} answers came over a switch, ${report.on_held_connections} on connections that were held idle`,
      `${report.sent_again} requests met a closed listener and were sent again`,
      `switches: ${countsOf(script)}`,
    ],
  };
}

/** Null when the router says that it does what was asked for. */
async function problemOf(
  endpoint: SwitchedEndpoint,
  router: TrafficRouter,
  one: Switch,
): Promise<string | null> {
  try {
    const wanted = await endpoint.carryOut(one);
    const observed = await router.observe(ENDPOINT, { signal: AbortSignal.timeout(10_000) });
    if (isDeepStrictEqual(observed, wanted)) return null;
    return `${JSON.stringify(observed)} is in force, not ${JSON.stringify(wanted)}`;
  } catch (error) {
    if (error instanceof AgentError) return `${error.name}: ${error.message}`;
    throw error;
  }
}

function countsOf(script: readonly Switch[]): string {
  const byKind = Object.entries(Object.groupBy(script, ({ kind }) => kind));
  return byKind.map(([kind, list]) => `${list.length} ${kind}`).join(", ");
}
