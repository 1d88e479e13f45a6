import { request } from "undici";
import { describeTrafficRouter } from "../../../src/testing/contracts/traffic_router_contract.ts";
import { makeEnvoyFixture, prepareEnvoy } from "../../integration/envoy/fixture.ts";
import { clusterRouter, routerSettings } from "../../support/kubernetes/cluster_router.ts";
import { endpointObjectName } from "../../../src/mlops/kubernetes/router/router_objects.ts";
import { ClusterOfEnvoys } from "../../support/kubernetes/envoy_pods.ts";

describeTrafficRouter(
  "two Envoys for each endpoint in a cluster",
  async () => {
    const fixture = await makeEnvoyFixture();
    const envoys = await ClusterOfEnvoys.start(await prepareEnvoy());
    const { cluster } = envoys;
    const { router, client } = clusterRouter(cluster);
    const nameOf = (endpointName: string) => endpointObjectName(routerSettings.installation, endpointName);
    return {
      router,
      startServer: async (deploymentId, status) => {
        const server = await fixture.startServer(deploymentId, { status });
        return server.address;
      },
      sendRequests: async (endpointName, _url, count) => {
        await envoys.untilReady(nameOf(endpointName), 2);
        const addresses = envoys.addresses(nameOf(endpointName));
        for (let sent = 0; sent < count; sent += 1) {
          const address = addresses[sent % addresses.length] ?? "";
          const answer = await request(`${address}/predict`, { method: "POST", body: "{}" });
          await answer.body.dump();
        }
      },
      crash: async (endpointName) => {
        cluster.objects.remove("deployments", nameOf(endpointName), undefined);
      },
      dispose: async () => {
        await client.close();
        await envoys.close();
        await fixture.dispose();
      },
    };
  },
  { address: /^http:\/\/md-endpoint-(churn|fraud)-[0-9a-f]{12}\.models\.svc$/ },
);
