import { afterEach, beforeEach, expect } from "vitest";
import { type ClusterWithServers, openCluster } from "./cluster_with_servers.ts";

export const tag = "e2i_classifier:v1";
export const options = () => ({ signal: AbortSignal.timeout(300_000) });
export const resources = {
  replicas: 2,
  cpu_limit: "500m",
  memory_limit: "1Gi",
  autoscaling: { min: 2, max: 5, target_cpu: 70 },
};
export const input = { deployment_id: "dep_one", bento_tag: tag, resources };
/** The kinds of which a server has one object each. */
export const made = [
  "deployments",
  "services",
  "networkpolicies",
  "poddisruptionbudgets",
  "horizontalpodautoscalers",
];

/** A cluster of its own for each test of the file that calls this. */
export function clusterForEachTest(): {
  here: () => ClusterWithServers;
  only: (plural: string) => ReturnType<ClusterWithServers["cluster"]["objects"]["list"]>[number] | undefined;
} {
  const open: ClusterWithServers[] = [];
  beforeEach(async () => {
    open.push(await openCluster([tag]));
  });
  afterEach(() => open.pop()?.close());
  const here = () => {
    const [cluster] = open;
    if (cluster === undefined) return expect.unreachable("there is a cluster only while a test runs");
    return cluster;
  };
  const only = (plural: string) => {
    const objects = here().cluster.objects.list(plural);
    expect(objects, plural).toHaveLength(1);
    return objects[0];
  };
  return { here, only };
}
