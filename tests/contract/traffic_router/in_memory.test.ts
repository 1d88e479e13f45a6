import { InMemoryTrafficRouter } from "../../../src/testing/in_memory/traffic_router.ts";
import type { Behaviour } from "../../../src/testing/in_memory/sent_traffic.ts";
import { describeTrafficRouter } from "../../../src/testing/contracts/traffic_router_contract.ts";

describeTrafficRouter("in memory", async () => {
  const router = new InMemoryTrafficRouter();
  const statuses = new Map<string, number>();
  let port = 30_000;
  return {
    router,
    startServer: async (deploymentId, status) => {
      statuses.set(deploymentId, status);
      return { deployment_id: deploymentId, host: "127.0.0.1", port: (port += 1) };
    },
    sendRequests: async (endpointName, _url, count) => {
      const behaviours: Record<string, Behaviour> = {};
      for (const [id, status] of statuses) behaviours[id] = { error_rate: status < 500 ? 0 : 1 };
      router.sendTraffic(endpointName, count, behaviours);
    },
    crash: async (endpointName) => router.kill(endpointName),
    dispose: async () => undefined,
  };
});
