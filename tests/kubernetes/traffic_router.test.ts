import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import { describeTrafficRouter } from "../../src/testing/contracts/traffic_router_contract.ts";
import { pollUntil } from "../../src/testing/poll.ts";
import { createClusterRouter } from "../../src/wiring/engines/cluster_router.ts";
import { ConfigurationError } from "../../src/agents/model_deployer/errors.ts";
import { endpointObjectName } from "../../src/mlops/kubernetes/router/router_objects.ts";
import { deploymentSchema } from "../../src/mlops/kubernetes/server/observed_objects.ts";
import { makeEnvoyFixture } from "../integration/envoy/fixture.ts";
import { realCluster } from "./cluster_of_environment.ts";

describeTrafficRouter(
  "Envoys of a real API server's cluster",
  async () => {
    const home = await mkdtemp(join(tmpdir(), "cluster-router-"));
    const { configuration, settings, client, ownAddress } = await realCluster(home);
    const fixture = await makeEnvoyFixture();
    const router = createClusterRouter(client, configuration, settings);
    if (router === null) throw new ConfigurationError("MODEL_DEPLOYER_ROUTER has to be cluster");
    const signal = AbortSignal.timeout(600_000);
    const callers = new Agent({ connections: 1 });
    const pathOf = (endpointName: string) => {
      const name = endpointObjectName(settings.installation, endpointName);
      return `/apis/apps/v1/namespaces/${settings.namespace}/deployments/${name}`;
    };
    return {
      router,
      startServer: async (deploymentId, status) => {
        const server = await fixture.startServer(deploymentId, { status, host: ownAddress });
        return server.address;
      },
      sendRequests: async (_name, endpointUrl, count) => {
        for (let sent = 0; sent < count; sent += 1) {
          // A connection that is kept leads to a pod that is ending for as long as it answers.
          const asked = { method: "POST", body: "{}", dispatcher: callers, reset: true } as const;
          const answer = await request(`${endpointUrl}/predict`, asked);
          await answer.body.dump();
        }
      },
      crash: async (endpointName) => {
        const path = pathOf(endpointName);
        const found = await client.get(path, deploymentSchema, signal);
        await client.remove(path, found?.metadata.uid ?? "", signal);
        await pollUntil(async () => (await router.observe(endpointName, { signal })) === null, {
          deadlineMs: 120_000,
          what: "end of the endpoint's pods",
        });
      },
      dispose: async () => {
        for (const name of ["churn", "fraud"]) await router.close(name, { signal });
        await callers.destroy();
        await client.close();
        await fixture.dispose();
        await rm(home, { recursive: true, force: true });
      },
    };
  },
  { address: /^http:\/\/md-endpoint-(churn|fraud)-[0-9a-f]{12}\.models\.svc$/ },
);
