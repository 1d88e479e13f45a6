import { openWorkshop } from "../../integration/bentoml/workshop.ts";
import { describeModelServer } from "../../../src/testing/contracts/model_server_contract.ts";

describeModelServer("BentoML", async () => {
  const workshop = await openWorkshop();
  return {
    server: workshop.server,
    bento_tags: [await workshop.pack("classifier"), await workshop.pack("regressor")],
    broken_tag: await workshop.pack("unloadable"),
    broken_reason: /ModuleNotFoundError: No module named 'scorecard_rules'/,
    changed_tag: await workshop.change(await workshop.pack("scaled_classifier")),
    kill: (deploymentId) => workshop.killServer(deploymentId),
    close: () => workshop.close(),
  };
});
