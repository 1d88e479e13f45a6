import { describeTrafficRouter } from "../../../src/testing/contracts/traffic_router_contract.ts";
import { openClusterWithGateway } from "../../support/kubernetes/cluster_with_gateway.ts";

describeTrafficRouter(
  "somebody's gateway in a stand-in cluster",
  async () => {
    const here = await openClusterWithGateway();
    return {
      router: here.router,
      startServer: here.startServer,
      sendRequests: async (endpointName, _url, count) => {
        await here.send(endpointName, count);
      },
      crash: async (endpointName) => {
        const [route] = here.cluster.objects
          .list("httproutes")
          .filter(({ metadata }) => metadata.annotations?.["model-deployer/endpoint-name"] === endpointName);
        here.cluster.objects.patch("httproutes", route?.metadata.name ?? "", { spec: { parentRefs: [] } });
      },
      dispose: () => here.close(),
    };
  },
  { address: /^https:\/\/(churn|fraud)\.models\.example\.org$/ },
);
