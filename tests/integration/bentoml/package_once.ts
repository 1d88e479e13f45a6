import { BentoMLPackager } from "../../../src/mlops/bentoml/packaging/packager.ts";

/** Packages in a process of its own, so that a test can kill it: HOME BENTOML TAG MODEL_PATH CACHE UV. */
const [home = "", bentoml = "", bento_tag = "", model_path = "", cacheDirectory = "", uv = ""] =
  process.argv.slice(2);
await new BentoMLPackager({ home, bentoml, environments: { cacheDirectory, uv } }).packageModel(
  {
    bento_tag,
    model_name: "m",
    version: 1,
    model_path,
    preprocessing_path: null,
    artifact_digest: "a".repeat(64),
  },
  { signal: AbortSignal.timeout(600_000) },
);
