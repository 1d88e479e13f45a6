import {
  describeModelServer,
  type ServerSubject,
} from "../../../src/testing/contracts/model_server_contract.ts";
import { openCluster } from "../../support/kubernetes/cluster_with_servers.ts";

const tags = ["e2i_classifier:v1", "e2i_regressor:v1", "e2i_broken:v1", "e2i_changed:v1"] as const;
const log = [
  "Traceback (most recent call last):",
  '  File "model.py", line 1, in <module>',
  "ModuleNotFoundError: No module named 'scorecard_rules'",
].join("\n");

async function open(): Promise<ServerSubject> {
  const here = await openCluster(tags);
  const { cluster, server, behaviours } = here;
  behaviours.set(tags[2], { becomes: "crashing", reason: "Error", exitCode: 1, log });
  return {
    server,
    bento_tags: [tags[0], tags[1]],
    broken_tag: tags[2],
    broken_reason: /ModuleNotFoundError: No module named 'scorecard_rules'/,
    changed_tag: tags[3],
    kill: async (deploymentId) => {
      const owned = cluster.objects
        .list("deployments")
        .filter(({ metadata }) => metadata.annotations?.["model-deployer/deployment-id"] === deploymentId);
      for (const { metadata } of owned) cluster.node.kill(cluster.node.pods(metadata.name));
    },
    close: () => here.close(),
  };
}

describeModelServer("Kubernetes, stand-in API server", open, { looksAfterNumbers: true });
