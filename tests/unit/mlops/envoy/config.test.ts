import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { clusterDumpSchema, toKnownClusters } from "../../../../src/mlops/envoy/clusters/cluster_dump.ts";
import { inOrder, copiesAtOnce } from "../../../../src/mlops/envoy/clusters/known_cluster.ts";
import { toClusterFile } from "../../../../src/mlops/envoy/clusters/cluster_file.ts";
import { routeDumpSchema, toRoute, toRouteFile } from "../../../../src/mlops/envoy/route_config.ts";

const discoverySchema = z.object({ version_info: z.string(), resources: z.array(z.unknown()) });
const parse = (content: string) => discoverySchema.parse(JSON.parse(content));

const idArbitrary = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,20}$/);

describe("Envoy's route file", () => {
  const weightsArbitrary = fc.oneof(
    fc.constant({}),
    fc
      .tuple(fc.uniqueArray(idArbitrary, { minLength: 2, maxLength: 2 }), fc.integer({ min: 0, max: 100 }))
      .map(([ids, weight]) =>
        Object.fromEntries(ids.map((id, index) => [id, index === 0 ? weight : 100 - weight])),
      ),
  );

  it("says exactly the route that it was made from", () => {
    fc.assert(
      fc.property(fc.nat(), weightsArbitrary, fc.option(idArbitrary), (generation, weights, mirror) => {
        const route = { endpoint_name: "churn", generation, weights, mirror_deployment_id: mirror };
        const { version_info, resources } = parse(toRouteFile(route, 15));
        const dump = { configs: [{ version_info, route_config: resources[0] }] };
        expect(toRoute(routeDumpSchema.parse(dump))).toEqual(route);
      }),
    );
  });

  it("is no route where Envoy has none", () => {
    expect(toRoute(routeDumpSchema.parse({}))).toBeNull();
  });
});

describe("mirrored requests under way", () => {
  it.each([
    { queue: 64, envoys: 1, each: 64 },
    { queue: 64, envoys: 2, each: 32 },
    { queue: 64, envoys: 3, each: 21 },
    { queue: 10_000, envoys: 1, each: 64 },
    { queue: 5, envoys: 2, each: 2 },
    { queue: 0, envoys: 1, each: 1 },
    { queue: 64, envoys: 100, each: 1 },
    { queue: 64, envoys: 0, each: 64 },
  ])("of $envoys Envoys fill no more than a queue of $queue: $each", ({ queue, envoys, each }) => {
    expect(copiesAtOnce(queue, envoys)).toBe(each);
  });
});

describe("Envoy's cluster file", () => {
  const clusterArbitrary = fc.record({
    deployment_id: idArbitrary,
    addresses: fc
      .uniqueArray(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 4 })
      .map((ports) => inOrder(ports.map((port) => ({ host: "127.0.0.1", port })))),
    added_in: fc.nat(),
    copies_at_once: fc.integer({ min: 1, max: 64 }),
  });

  it("says exactly the clusters that it was made from, under a version that only their content decides", () => {
    const clusters = fc.uniqueArray(clusterArbitrary, { selector: (cluster) => cluster.deployment_id });
    fc.assert(
      fc.property(clusters, (known) => {
        const { version, content } = toClusterFile(known);
        const { version_info, resources } = parse(content);
        const dump = { configs: resources.map((cluster) => ({ cluster })) };
        const again = toKnownClusters(clusterDumpSchema.parse(dump));
        const byId = new Map(known.map((cluster) => [cluster.deployment_id, cluster]));
        expect(new Map(again.map((cluster) => [cluster.deployment_id, cluster]))).toEqual(byId);
        expect(version_info).toBe(version);
        expect(toClusterFile([...known].reverse()).content).toBe(content);
        const moved = known.map((cluster, index) => (index === 0 ? { ...cluster, added_in: -1 } : cluster));
        if (known.length > 0) expect(toClusterFile(moved).version).not.toBe(version);
      }),
    );
  });
});
