import { randomUUID } from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { toBootstrap } from "./bootstrap.ts";
import { toClusterFile } from "../clusters/cluster_file.ts";
import type { EndpointFolder, Listener } from "../endpoint_folder.ts";
import type { FenceFiles, GenerationFence } from "../generation_fence.ts";
import { ingressPaths } from "../ingress/ingress_files.ts";
import { toRouteFile } from "../route_config.ts";
import { isMissing } from "../../../platform/system_errors.ts";

/** Clusters and routes only where there are none yet: those that were last put into force stay. */
export async function writeStartFiles(
  folder: EndpointFolder,
  listener: Listener,
  fence: GenerationFence,
  files: FenceFiles,
): Promise<void> {
  const nothing = {
    endpoint_name: folder.endpoint_name,
    generation: 0,
    weights: {},
    mirror_deployment_id: null,
  };
  await setAsideIfDamaged(folder.routes);
  await setAsideIfDamaged(folder.clusters);
  await fence.createOnce(folder.routes, toRouteFile(nothing, folder.answer_seconds));
  await fence.createOnce(folder.clusters, toClusterFile([]).content);
  const bootstrap = toBootstrap({
    endpoint_name: folder.endpoint_name,
    host: listener.host,
    port: listener.port,
    admin_socket: listener.admin_socket,
    folder: folder.root,
    clusters_file: folder.clusters,
    routes_file: folder.routes,
    listener_file: ingressPaths(folder).listener,
  });
  const fresh = `${folder.bootstrap}.${randomUUID()}`;
  await files.writeFile(fresh, bootstrap, { mode: 0o600, flag: "wx" });
  await rename(fresh, folder.bootstrap);
}

/**
 * A file that a power cut left half written would keep Envoy from starting; without it the endpoint begins at
 * generation 0.
 */
async function setAsideIfDamaged(path: string): Promise<void> {
  try {
    JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (isMissing(error)) return;
    if (!(error instanceof SyntaxError)) throw error;
    await rename(path, `${path}.damaged`);
  }
}
