import { ByEngine } from "../../../src/mlops/engines/by_engine.ts";
import { PackagerOfEngines } from "../../../src/mlops/engines/packager_of_engines.ts";
import { describeModelPackager } from "../../../src/testing/contracts/model_packager_contract.ts";
import { InMemoryModelPackager } from "../../../src/testing/in_memory/model_packager.ts";
import { enginesFrom } from "../../support/given/given_engine_rows.ts";
import { LOCAL_AND_CLUSTER } from "../../support/given/given_engines.ts";

describeModelPackager("several engines", async () => {
  const store = new InMemoryModelPackager();
  store.refuse("/artifacts/none", "/artifacts/none has no MLmodel file");
  store.refuse("/artifacts/broken", "model/MLmodel cannot be read");
  const packagers = new Map([["local" as const, store]]);
  const engines = enginesFrom(LOCAL_AND_CLUSTER, () => "local");
  return {
    packager: new PackagerOfEngines(store, new ByEngine(packagers, engines)),
    model_paths: ["/artifacts/one", "/artifacts/two"],
    unusable_paths: ["/artifacts/none", "/artifacts/broken"],
    close: () => Promise.resolve(),
  };
});
