import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceRefusedError } from "../../src/agents/model_deployer/errors.ts";
import type { ModelDeployerGraph } from "../../src/agents/model_deployer/graph.ts";
import { percentile } from "../support/figures.ts";
import { printTable, say } from "../support/report.ts";
import { ENDPOINT, type Forwarder } from "./seed.ts";
import type { Upstreams, UpstreamServer } from "./upstreams.ts";

interface Setting {
  forwarder: Forwarder;
  upstreams: Upstreams;
  server: UpstreamServer;
  graphs: { graph: ModelDeployerGraph }[];
  versions: { good: string; bad: string };
  goodDeployment: string;
  archive: (versionId: string) => Promise<void>;
}

interface Way {
  name: string;
  /** Brings about what is gone back from. @returns the bad deployment; null where nothing serves */
  prepare: (setting: Setting) => Promise<string | null>;
  request: (good: string, bad: string | null) => Record<string, unknown>;
}

const byName = (good: string) => ({ endpoint_name: ENDPOINT, rollback_to: good });

const WAYS: Way[] = [
  {
    name: "warm",
    prepare: ({ forwarder, versions }) => forwarder.bringForward(versions.bad),
    request: (_, bad) => ({ current_deployment_id: bad ?? "" }),
  },
  {
    name: "draining, its time is up",
    prepare: ({ forwarder, versions }) => forwarder.bringForward(versions.bad, 0),
    request: byName,
  },
  {
    name: "archived",
    prepare: async ({ archive, versions }) => {
      await archive(versions.good);
      return null;
    },
    request: () => ({ endpoint_name: ENDPOINT }),
  },
  {
    name: "cold, by name",
    prepare: async ({ forwarder, versions, server, goodDeployment }) => {
      const bad = await forwarder.bringForward(versions.bad);
      await server.stop(goodDeployment);
      return bad;
    },
    request: byName,
  },
  {
    name: "three back, by name",
    prepare: async ({ forwarder, versions }) => {
      for (let count = 0; count < 2; count += 1) await forwarder.bringForward(versions.bad);
      return forwarder.bringForward(versions.bad);
    },
    request: byName,
  },
];

export interface WaySample {
  /** Milliseconds from the command. */
  firstGood: number;
  /** Null where nothing served. */
  lastBad: number | null;
  /** From the bad version's first answer, or the good one's where nothing served, until long after. */
  asked: number;
  lost: number;
}

/** A bad answer that is under way when the route changes comes within this. */
const SETTLED_MS = 200;

async function goBack(setting: Setting, way: Way): Promise<WaySample> {
  const { upstreams, goodDeployment: good } = setting;
  const bad = await way.prepare(setting);
  const before = bad === null ? null : await upstreams.firstAnswerOf(bad);
  const seen = upstreams.firstAnswerOf(good);
  const request = { deployment_action: "rollback", ...way.request(good, bad), rollback_reason: "bench" };
  const config = { configurable: { thread_id: randomUUID() }, context: { effects: "live" } } as const;
  const begun = process.hrtime.bigint();
  const state = await setting.graphs[0]?.graph.invoke(request, config);
  if (state?.rollback_successful !== true) {
    throw new ServiceRefusedError("bench", `going back where it is ${way.name} did not succeed`);
  }
  const first = await seen;
  await delay(SETTLED_MS);
  const last = bad === null ? null : await upstreams.lastAnswerOf(bad);
  const after = await upstreams.firstAnswerOf(good);
  const since = (at: bigint) => Number(at - begun) / 1e6;
  return {
    firstGood: since(first.at),
    lastBad: last === null ? null : since(last),
    asked: after.asked - (before ?? first).asked,
    lost: after.lost - (before ?? first).lost,
  };
}

export async function measureWays(setting: Setting, rounds: number): Promise<Map<string, WaySample[]>> {
  const samples = new Map<string, WaySample[]>(WAYS.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const way of WAYS) samples.get(way.name)?.push(await goBack(setting, way));
  }
  return samples;
}

export function reportWays(samples: Map<string, WaySample[]>): void {
  say();
  say("every way back, ms from the command; a server's own start is not counted, for these start at once");
  const total = (list: WaySample[], key: "asked" | "lost") =>
    String(list.reduce((sum, sample) => sum + sample[key], 0));
  const rows = [...samples].map(([name, list]) => {
    const bad = list.flatMap(({ lastBad }) => lastBad ?? []);
    const ofBad = [50, 100].map((percent) =>
      bad.length === 0 ? "nothing served" : percentile(bad, percent).toFixed(2),
    );
    const ofGood = [50, 100].map((percent) =>
      percentile(
        list.map(({ firstGood }) => firstGood),
        percent,
      ),
    );
    return [name, ...ofBad, ...ofGood, total(list, "asked"), total(list, "lost")];
  });
  printTable(["way", "last bad answer p50", "max", "first good answer p50", "max", "asked", "lost"], rows);
}
