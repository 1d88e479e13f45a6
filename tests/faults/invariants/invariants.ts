import { z } from "zod";
import type { ModelServer } from "../../../src/agents/model_deployer/ports/model_server_port.ts";
import type { TrafficRouter } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { databaseRules } from "./database_rules.ts";
import { processViolationsOf } from "./process_rules.ts";
import { SERVERS, serverRow } from "../harness/server_rows.ts";

/** The parts to check: the database without the product's code, and the processes outside. */
export interface Observed {
  /** Rows of one statement, numbers of any width as text or number. */
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  router: Pick<TrafficRouter, "observe">;
  server: Pick<ModelServer, "list">;
  /** A version as the registry shows it; left out where no registry takes part. */
  registry?: { projectionOf(modelName: string, version: number): Projection | Promise<Projection> };
  /** Keys of all episodes that the memory holds; left out where none takes part. */
  episodes?: () => string[] | Promise<string[]>;
  /** Where servers and routers run as processes; left out where none does. */
  home?: string;
}

interface Projection {
  stage: string | null;
  aliases: string[];
}

const LOOK_MS = 10_000;

/**
 * A sentence for everything that is not as it must be once nothing is under way any more: unfinished operations are
 * carried to their end, the outbox is delivered, what was due to be stopped is stopped.
 */
export async function violationsOf(observed: Observed): Promise<string[]> {
  const found: string[] = [];
  for (const { rule, broken } of databaseRules) {
    for (const row of await observed.sql(broken)) found.push(`${rule}, but ${String(row["found"])}`);
  }
  return [
    ...found,
    ...(await unlikeTheRouter(observed)),
    ...(await unlikeTheServers(observed)),
    ...(await unlikeTheRegistry(observed)),
    ...(await unlikeTheMemory(observed)),
    ...(observed.home === undefined
      ? []
      : await processViolationsOf({ home: observed.home, sql: observed.sql })),
  ];
}

const endpointRow = z.object({
  endpoint_name: z.string(),
  generation: z.coerce.number(),
  weights: z.record(z.string(), z.number()),
  mirror_deployment_id: z.string().nullable(),
});
type EndpointRow = z.infer<typeof endpointRow>;

/** Weights by deployment in one order, those of 0 left out, and the mirror: two routes are alike when this is. */
function describe(route: Pick<EndpointRow, "generation" | "weights" | "mirror_deployment_id">): string {
  const shares = Object.entries(route.weights).filter(([, weight]) => weight > 0);
  const listed = shares.sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, weight]) => `${weight} % to ${id}`);
  const mirror = route.mirror_deployment_id === null ? "" : `, mirrored to ${route.mirror_deployment_id}`;
  return `generation ${route.generation}: ${listed.join(", ") || "nothing"}${mirror}`;
}

async function unlikeTheRouter({ sql, router }: Observed): Promise<string[]> {
  const endpoints = endpointRow.array().parse(await sql("select * from ml_endpoints order by endpoint_name"));
  const found: string[] = [];
  for (const endpoint of endpoints) {
    const name = endpoint.endpoint_name;
    const route = await router.observe(name, { signal: AbortSignal.timeout(LOOK_MS) });
    const serves = Object.keys(endpoint.weights).length > 0 || endpoint.mirror_deployment_id !== null;
    if (route === null) {
      if (serves) found.push(`the router does what the database says, but ${name} has no listener`);
      continue;
    }
    const sum = Object.values(route.weights).reduce((total, weight) => total + weight, 0);
    if (sum !== 0 && sum !== 100) found.push(`the router's weights sum to 100, but ${name} has ${sum}`);
    if (describe(route) !== describe(endpoint)) {
      found.push(
        `the router does what the database says, but ${name} is at ${describe(route)} instead of ${describe(endpoint)}`,
      );
    }
  }
  return found;
}

async function unlikeTheServers({ sql, server }: Observed): Promise<string[]> {
  const rows = serverRow.array().parse(await sql(SERVERS));
  const listed = await server.list();
  const orphans = listed.filter((id) => !rows.some((row) => row.id === id && row.wanted));
  const missing = rows.filter(({ id, routed }) => routed && !listed.includes(id));
  const twice = listed.filter((id, index) => listed.indexOf(id) !== index);
  return [
    ...orphans.map((id) => `every server is wanted, but that of ${id} is not`),
    ...missing.map(({ id }) => `what gets traffic has a server, but ${id} has none`),
    ...twice.map((id) => `a deployment has one server, but ${id} has two`),
  ];
}

const versionRow = z.object({
  model_version_id: z.string(),
  model_name: z.string(),
  version: z.coerce.number(),
  stage: z.string(),
});

/** An alias of a stage may have gone on to a later version of that stage, but never points at one of another. */
async function unlikeTheRegistry({ sql, registry }: Observed): Promise<string[]> {
  if (registry === undefined) return [];
  const versions = versionRow.array().parse(await sql("select * from ml_model_registry"));
  const found: string[] = [];
  for (const { model_version_id: id, model_name, version, stage } of versions) {
    const shown = await registry.projectionOf(model_name, version);
    if (shown.stage !== stage)
      found.push(`the registry shows each version's stage, but ${id} is at ${stage}, not ${shown.stage}`);
    const wrong = shown.aliases.filter((alias) => alias !== (stage === "archived" ? "previous" : stage));
    if (wrong.length > 0) found.push(`aliases follow stages, but ${id} at ${stage} has ${wrong.join(", ")}`);
    if (stage === "production" && !shown.aliases.includes("production")) {
      found.push(`the alias production points at the production version, but ${id} lacks it`);
    }
  }
  return found;
}

async function unlikeTheMemory({ sql, episodes }: Observed): Promise<string[]> {
  if (episodes === undefined) return [];
  const held = await episodes();
  const rows = await sql(
    "select payload ->> 'dedupe_key' as key from ml_outbox where topic = 'episodic_memory'",
  );
  const told = new Set(rows.map((row) => String(row["key"])));
  const missing = [...told].filter((key) => !held.includes(key));
  const strange = held.filter((key, index) => !told.has(key) || held.indexOf(key) !== index);
  return [
    ...missing.map((key) => `the memory holds every event, but not ${key}`),
    ...strange.map((key) => `the memory holds each event once and no other, but also ${key}`),
  ];
}
