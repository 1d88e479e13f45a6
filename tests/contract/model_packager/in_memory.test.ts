import { InMemoryModelPackager } from "../../../src/testing/in_memory/model_packager.ts";
import { describeModelPackager } from "../../../src/testing/contracts/model_packager_contract.ts";

describeModelPackager("in memory", async () => {
  const packager = new InMemoryModelPackager();
  packager.refuse("/artifacts/none", "/artifacts/none has no MLmodel file");
  packager.refuse("/artifacts/broken", "model/MLmodel cannot be read");
  return {
    packager,
    model_paths: ["/artifacts/one", "/artifacts/two"],
    unusable_paths: ["/artifacts/none", "/artifacts/broken"],
    close: () => Promise.resolve(),
  };
});
