import { RoutersOfEndpoints, RoutersOfEngines } from "../../../src/mlops/engines/routers_of_engines.ts";
import { InMemoryTrafficRouter } from "../../../src/testing/in_memory/traffic_router.ts";
import type { Behaviour } from "../../../src/testing/in_memory/sent_traffic.ts";
import { describeTrafficRouter } from "../../../src/testing/contracts/traffic_router_contract.ts";
import { anEndpoint } from "../../support/given/given_facts.ts";
import { CLUSTER_ROUTES_ITSELF } from "../../support/given/given_engines.ts";

/** `fraud` is at the cluster's router, and every other endpoint beside the worker. */
describeTrafficRouter("several engines, one endpoint at each router", async () => {
  const [beside, inCluster] = [new InMemoryTrafficRouter(), new InMemoryTrafficRouter()];
  // Two routers share no address.
  await inCluster.open("another", { signal: AbortSignal.timeout(60_000) });
  const engineOf = (name: string) => (name === "fraud" ? "kubernetes" : "local");
  const rows = {
    get: async (endpoint_name: string) => anEndpoint({ endpoint_name, engine: engineOf(endpoint_name) }),
  };
  const routed = new RoutersOfEndpoints(CLUSTER_ROUTES_ITSELF, rows);
  const statuses = new Map<string, number>();
  let port = 30_000;
  return {
    router: new RoutersOfEngines(routed, { beside, inCluster }),
    startServer: async (deploymentId, status) => {
      statuses.set(deploymentId, status);
      return { deployment_id: deploymentId, host: "127.0.0.1", port: (port += 1) };
    },
    sendRequests: async (endpointName, _url, count) => {
      const behaviours: Record<string, Behaviour> = {};
      for (const [id, status] of statuses) behaviours[id] = { error_rate: status < 500 ? 0 : 1 };
      beside.sendTraffic(endpointName, count, behaviours);
    },
    crash: async (endpointName) => beside.kill(endpointName),
    dispose: async () => undefined,
  };
});
