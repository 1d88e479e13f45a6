import { openWorkshop } from "../../integration/bentoml/workshop.ts";
import { describeModelPackager } from "../../../src/testing/contracts/model_packager_contract.ts";

describeModelPackager("BentoML", async () => {
  const workshop = await openWorkshop();
  return {
    packager: workshop.packager,
    model_paths: [workshop.model("classifier"), workshop.model("regressor")],
    unusable_paths: [workshop.model("no_mlmodel"), workshop.model("unreadable_mlmodel")],
    close: () => workshop.close(),
  };
});
