import { describeModelServer } from "../../../src/testing/contracts/model_server_contract.ts";
import { openCloud } from "../../support/bentocloud/cloud_server.ts";

const tags = ["e2i_classifier:v1", "e2i_regressor:v1", "e2i_broken:v1", "e2i_changed:v1"] as const;

describeModelServer(
  "BentoCloud, stand-in",
  async () => {
    const here = await openCloud(tags);
    const { cloud, server } = here;
    cloud.deployments.becomes.set(tags[2], "failed");
    return {
      server,
      bento_tags: [tags[0], tags[1]],
      broken_tag: tags[2],
      broken_reason: /BentoCloud says that md-dep-broken-\w+ is failed: its page there has the log/,
      changed_tag: tags[3],
      kill: async (deploymentId) => cloud.deployments.say(deploymentId, "failed"),
      close: () => here.close(),
    };
  },
  { looksAfterNumbers: true },
);
