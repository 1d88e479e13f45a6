import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { describeModelServer } from "../../src/testing/contracts/model_server_contract.ts";
import { createKubernetesEngine } from "../../src/wiring/engines/kubernetes_engine.ts";
import { pollUntil } from "../../src/testing/poll.ts";
import { processesWith } from "../integration/bentoml/processes.ts";
import { openWorkshop } from "../integration/bentoml/workshop.ts";
import { realCluster } from "./cluster_of_environment.ts";

describeModelServer(
  "Kubernetes, real API server",
  async () => {
    const workshop = await openWorkshop();
    const { configuration, settings, client } = await realCluster(workshop.directory);
    // The workshop keeps its bentos where a deployer's home has them.
    const bentos = join(workshop.directory, "bentoml");
    const tags: [string, string] = [await workshop.pack("classifier"), await workshop.pack("regressor")];
    const broken = await workshop.pack("unloadable");
    const changed = await workshop.change(await workshop.pack("scaled_classifier"));
    await rename(workshop.home, bentos);
    const { server } = await createKubernetesEngine(configuration, settings, {
      uv: workshop.tools.uv,
      packager: workshop.packager,
    });
    return {
      server,
      bento_tags: tags,
      broken_tag: broken,
      broken_reason: /ModuleNotFoundError: No module named 'scorecard_rules'/,
      changed_tag: changed,
      // A node starts a container that ended at once, and waits the second time.
      kill: async (deploymentId) => {
        await pollUntil(
          async () => {
            const ids = await processesWith(`MODEL_DEPLOYER_DEPLOYMENT_ID=${deploymentId}`);
            for (const id of ids) process.kill(id, "SIGKILL");
            const options = { signal: AbortSignal.timeout(60_000) };
            return (await server.observe(deploymentId, options)).state === "failed";
          },
          { deadlineMs: 300_000, what: `a failed server of ${deploymentId}` },
        );
      },
      close: async () => {
        await client.close();
        await workshop.close();
        await rm(bentos, { recursive: true, force: true });
      },
    };
  },
  { looksAfterNumbers: true },
);
