import { InMemoryModelPackager } from "../../../src/testing/in_memory/model_packager.ts";
import { InMemoryModelServer } from "../../../src/testing/in_memory/model_server.ts";
import { describeModelServer } from "../../../src/testing/contracts/model_server_contract.ts";

const tags = ["e2i_classifier:v1", "e2i_regressor:v1", "e2i_broken:v1", "e2i_changed:v1"] as const;

describeModelServer("in memory", async () => {
  const packager = new InMemoryModelPackager();
  const server = new InMemoryModelServer(packager);
  for (const bento_tag of tags) {
    await packager.packageModel(
      {
        bento_tag,
        model_name: "m",
        version: 1,
        model_path: "/artifact",
        preprocessing_path: null,
        artifact_digest: "a".repeat(64),
      },
      { signal: AbortSignal.timeout(120_000) },
    );
  }
  server.breakModel(tags[2], "ModuleNotFoundError: No module named 'scorecard_rules'");
  server.breakModel(tags[3], "its model has the digest b, and was built from a");
  return {
    server,
    bento_tags: [tags[0], tags[1]],
    broken_tag: tags[2],
    broken_reason: /ModuleNotFoundError: No module named 'scorecard_rules'/,
    changed_tag: tags[3],
    kill: async (deploymentId) => {
      server.crash(deploymentId);
    },
    close: () => Promise.resolve(),
  };
});
