import { predictionIn } from "../../../src/mlops/bentoml/prediction_logs.ts";
import { PodPredictionLogs } from "../../../src/mlops/kubernetes/server/pod_prediction_logs.ts";
import { describePredictionLogs } from "../../../src/testing/contracts/prediction_logs_contract.ts";
import { openCluster } from "../../support/kubernetes/cluster_with_servers.ts";

const tag = "e2i_classifier:v1";
const resources = {
  replicas: 2,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

describePredictionLogs("Kubernetes, stand-in API server", async () => {
  const here = await openCluster([tag]);
  const { node, objects } = here.cluster;
  return {
    logs: new PodPredictionLogs(here.server, predictionIn),
    // The pods share the requests, as behind a Service; their order among each other is of no account.
    write: async (deployment_id, predictions) => {
      await here.server.start(
        { deployment_id, bento_tag: tag, resources },
        { signal: AbortSignal.timeout(300_000) },
      );
      const [deployment] = objects
        .list("deployments")
        .filter(({ metadata }) => metadata.annotations?.["model-deployer/deployment-id"] === deployment_id);
      const lines = predictions.map(({ request_id: x_request_id, answered_at: time, has_failed, ...told }) =>
        JSON.stringify({ x_request_id, time, status: has_failed === true ? 500 : 200, ...told }),
      );
      const [pod] = node.pods(deployment?.metadata.name);
      if (pod !== undefined) node.print(pod, lines);
    },
    dispose: () => here.close(),
  };
});
