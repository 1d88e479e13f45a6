import { beforeAll } from "vitest";
import { makeEnvoyFixture, prepareEnvoy } from "../../integration/envoy/fixture.ts";
import { describeTrafficRouter } from "../../../src/testing/contracts/traffic_router_contract.ts";

beforeAll(prepareEnvoy, 20 * 60_000);

describeTrafficRouter("Envoy", async () => {
  const fixture = await makeEnvoyFixture();
  return {
    router: fixture.router,
    startServer: async (deploymentId, status) => {
      const server = await fixture.startServer(deploymentId, { status });
      return server.address;
    },
    sendRequests: async (_name, endpointUrl, count) => {
      for (let sent = 0; sent < count; sent += 1) await fixture.predict(endpointUrl);
    },
    crash: fixture.crash,
    dispose: fixture.dispose,
  };
});
