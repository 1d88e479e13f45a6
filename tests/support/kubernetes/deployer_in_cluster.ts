import {
  createTestDeployer,
  type TestDeployer,
  type TestDeployerOptions,
} from "../../../src/testing/index.ts";
import type { TrafficSource } from "../../../src/testing/deployer_actions.ts";
import { PodPredictionLogs } from "../../../src/mlops/kubernetes/server/pod_prediction_logs.ts";
import { type ClusterWithGateway, openClusterWithGateway } from "./cluster_with_gateway.ts";

export interface DeployerInCluster {
  here: ClusterWithGateway;
  given: Omit<TestDeployer, "router"> & { router: TrafficSource };
  close(): Promise<void>;
}

/** A deployer whose servers are in a stand-in cluster, behind its gateway; the rest is in memory. */
export async function deployerInCluster(options: TestDeployerOptions = {}): Promise<DeployerInCluster> {
  const here = await openClusterWithGateway("any");
  const predictionLogs = new PodPredictionLogs(here.server, () => []);
  const { server, router } = here;
  const given = await createTestDeployer({
    ...options,
    parts: { server, router, predictionLogs, ...options.parts },
  });
  const sendTraffic = async (endpointName: string, requests: number) => {
    await here.send(endpointName, requests);
  };
  return { here, given: { ...given, router: { sendTraffic } }, close: () => here.close() };
}
