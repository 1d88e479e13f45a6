import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { endpointFolder } from "./endpoint_folder.ts";
import { isRunning } from "./process/running_envoy.ts";
import { noProductionCluster, routeFileSchema } from "./route_config.ts";

/**
 * Deployments that had traffic by the routes that were in force when the home's routers ended; none while a router of the
 * home runs. A route that cannot be read names nobody.
 */
export async function lastServed(home: string): Promise<string[]> {
  const entries = await readdir(join(home, "router"), { withFileTypes: true }).catch(() => []);
  const folders = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => endpointFolder(home, name));
  const running = await Promise.all(folders.map((folder) => isRunning(folder)));
  if (running.includes(true)) return [];
  const routed = await Promise.all(folders.map(({ routes }) => routedIn(routes)));
  return [...new Set(routed.flat())];
}

async function routedIn(path: string): Promise<string[]> {
  const text = await readFile(path, "utf8").catch(() => "{}");
  const read = routeFileSchema.safeParse(parsed(text));
  const { weighted_clusters: weighted } = read.data?.resources[0]?.virtual_hosts[0]?.routes[0]?.route ?? {};
  const named = weighted?.clusters.filter(({ name, weight }) => weight > 0 && name !== noProductionCluster);
  return named?.map(({ name }) => name) ?? [];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
