import { z } from "zod";
import type { World } from "../../support/world.ts";
import { instancesIn } from "./served_processes.ts";

/** What must be the same before and after a fault: nothing happened, so nothing is written and nothing was started. */
export interface Untouched {
  /** `deployment instance`, of each server that gets traffic. */
  servers: string[];
  /** `endpoint generation`. */
  generations: string[];
  /** By table. */
  history: Record<string, number>;
}

const endpointRow = z.object({
  name: z.string(),
  generation: z.coerce.number(),
  weights: z.record(z.string(), z.number()),
});
const countRow = z.object({ count: z.coerce.number() });
const HISTORIES = ["ml_stage_history", "ml_traffic_history", "ml_rollout_history"];

export async function untouchedIn(home: string, sql: World["sql"]): Promise<Untouched> {
  const endpoints = endpointRow
    .array()
    .parse(await sql("select endpoint_name as name, generation, weights from ml_endpoints order by 1"));
  const routed = new Set(
    endpoints.flatMap(({ weights }) => Object.keys(weights).filter((id) => (weights[id] ?? 0) > 0)),
  );
  const history: Record<string, number> = {};
  for (const table of HISTORIES) {
    history[table] = countRow.parse((await sql(`select count(*) from ${table}`))[0]).count;
  }
  return {
    servers: (await instancesIn(home))
      .filter(({ deployment }) => routed.has(deployment))
      .map(({ deployment, instance }) => `${deployment} ${instance}`)
      .sort(),
    generations: endpoints.map(({ name, generation }) => `${name} ${generation}`),
    history,
  };
}

export interface Touched {
  sentence: string;
  /** As in `servers`, where it is about one. */
  server?: string;
}

export function touchedBetween(before: Untouched, after: Untouched): Touched[] {
  const gone = before.servers.filter((one) => !after.servers.includes(one));
  const raised = before.generations.filter((one) => !after.generations.includes(one));
  const written = Object.keys(before.history).filter(
    (table) => before.history[table] !== after.history[table],
  );
  const rows = (table: string) => `${after.history[table]} rows instead of ${before.history[table]}`;
  return [
    ...gone.map((server) => ({
      sentence: `no server is started again for nothing, but ${server} is gone`,
      server,
    })),
    ...raised.map((one) => ({
      sentence: `no generation is raised without a change, but that of ${one} was`,
    })),
    ...written.map((table) => ({
      sentence: `nothing is written of what did not happen, but ${table} has ${rows(table)}`,
    })),
  ];
}
