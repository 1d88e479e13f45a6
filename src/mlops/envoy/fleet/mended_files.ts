import { z } from "zod";
import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import { toClusterFile } from "../clusters/cluster_file.ts";
import type { KnownCluster } from "../clusters/known_cluster.ts";
import { hostsOf } from "../clusters/wanted_clusters.ts";
import { toRouteFile } from "../route_config.ts";
import type { EnvoyFleet, FileChange, KeptFiles } from "./fleet.ts";
import { RemoteReadings } from "./fleet_readings.ts";

const fileSchema = z.object({ version_info: z.string(), resources: z.array(z.looseObject({})) });

/**
 * Writes an endpoint's files anew where somebody has made something else of them, which an Envoy that runs refuses and one
 * that comes cannot begin with: by what one of them has in force, so that no caller notices, else as of a new endpoint.
 */
export async function mendFiles(
  fleet: Pick<EnvoyFleet, "files" | "write" | "envoys">,
  endpointName: string,
  { asNew, answerSeconds }: { asNew: Pick<KeptFiles, "clusters" | "routes">; answerSeconds: number },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const kept = await fleet.files(endpointName, signal);
    if (kept === null || (isFile(kept.clusters) && isFile(kept.routes))) return;
    const inForce = await newestInForce(fleet, endpointName, signal);
    const change: FileChange =
      inForce === null
        ? asNew
        : {
            clusters: toClusterFile(inForce.clusters).content,
            routes: toRouteFile(inForce.route, answerSeconds, hostsOf(inForce.clusters)),
          };
    if (await fleet.write(endpointName, kept, change, signal)) return;
  }
}

const isFile = (content: string): boolean => fileSchema.safeParse(parsedJson(content)).success;

async function newestInForce(
  fleet: Pick<EnvoyFleet, "envoys">,
  endpointName: string,
  signal: AbortSignal,
): Promise<{ route: Route; clusters: KnownCluster[] } | null> {
  const envoys = (await fleet.envoys(endpointName, signal)).map(
    (envoy) => new RemoteReadings(endpointName, envoy),
  );
  const routes = await Promise.all(
    envoys.map(async (envoy) => ({ envoy, route: await envoy.route(signal) })),
  );
  const routed = routes.flatMap(({ envoy, route }) => (route === null ? [] : [{ envoy, route }]));
  const [newest] = routed.sort((one, other) => other.route.generation - one.route.generation);
  return newest === undefined ? null : { route: newest.route, clusters: await newest.envoy.clusters(signal) };
}
