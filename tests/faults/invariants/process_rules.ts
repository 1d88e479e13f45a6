import { z } from "zod";
import { PollTimeoutError, pollUntil } from "../../../src/testing/poll.ts";
import type { Observed } from "./invariants.ts";
import { type MarkedProcess, processesMarked } from "../processes/marked_processes.ts";
import { SERVERS, serverRow } from "../harness/server_rows.ts";

/** The processes in a home, found without the product's own records. */
export interface ObservedHome {
  /** The path that stands in each process's command line or environment. */
  home: string;
  sql: Observed["sql"];
}

/** The limit for processes that were told to end, or that a killed process had begun, to end. */
const SETTLED_MS = 30_000;

/**
 * A sentence for each process of the home that no row of the database accounts for, and for each server or router that
 * runs twice. What is ending is waited for.
 */
export async function processViolationsOf(
  observed: ObservedHome,
  { deadlineMs = SETTLED_MS } = {},
): Promise<string[]> {
  let found: string[] = [];
  try {
    await pollUntil(
      async () => {
        found = await look(observed);
        return found.length === 0;
      },
      { deadlineMs, intervalMs: 100, what: "every process of the home is accounted for" },
    );
    return [];
  } catch (error) {
    if (error instanceof PollTimeoutError && found.length > 0) return found;
    throw error;
  }
}

async function look({ home, sql }: ObservedHome): Promise<string[]> {
  const deployments = serverRow.array().parse(await sql(SERVERS));
  const wanted = new Set(deployments.filter((row) => row.wanted).map((row) => row.id));
  const endpoints = z
    .object({ name: z.string() })
    .array()
    .parse(await sql("select endpoint_name as name from ml_endpoints"));
  const routers = new Set(endpoints.map(({ name }) => name));
  const processes = await processesMarked(home);
  return [
    ...processes
      .filter((one) => !isAccountedFor(one, wanted, routers))
      .map(
        ({ pid, command }) => `every process is accounted for, but ${pid} is not: ${command.slice(0, 200)}`,
      ),
    ...twice(processes),
  ];
}

function isAccountedFor(one: MarkedProcess, wanted: Set<string>, routers: Set<string>): boolean {
  const deployment = deploymentOf(one);
  if (deployment !== null) return wanted.has(deployment);
  const endpoint = endpointOf(one);
  return endpoint !== null && routers.has(endpoint);
}

function deploymentOf({ environment }: MarkedProcess): string | null {
  return environment["MODEL_DEPLOYER_DEPLOYMENT_ID"] ?? null;
}

function endpointOf({ command }: MarkedProcess): string | null {
  return /\/router\/([^/]+)\/bootstrap\.json/.exec(command)?.[1] ?? null;
}

/** Processes of one start carry the instance that was drawn for it. */
function twice(processes: readonly MarkedProcess[]): string[] {
  const starts = new Map<string, Set<string>>();
  for (const one of processes) {
    const what = deploymentOf(one) ?? endpointOf(one);
    if (what === null) continue;
    const known = starts.get(what) ?? new Set();
    starts.set(what, known.add(one.environment["MODEL_DEPLOYER_INSTANCE"] ?? ""));
  }
  return [...starts]
    .filter(([, instances]) => instances.size > 1)
    .map(([what, instances]) => `one process serves one thing, but ${what} has ${instances.size}`);
}
