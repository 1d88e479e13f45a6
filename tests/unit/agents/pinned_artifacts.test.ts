import { expect, test } from "vitest";
import {
  createTestDeployer,
  deploy,
  errorOf,
  promote,
  register,
  type RunSeed,
} from "../../../src/testing/index.ts";

const FILES = { MLmodel: "flavors: {}\n" };
const RUN: RunSeed = {
  run_id: "run1",
  metrics: { test_auc: 0.9 },
  models: { model: FILES },
  artifacts: { "preprocessing/scaler.joblib": "as it was fitted" },
};

test.each([
  ["model", { models: { model: { MLmodel: "flavors: { others: {} }\n" } } }],
  ["preprocessing", { artifacts: { "preprocessing/scaler.joblib": "as somebody else fitted it" } }],
])("a %s that is no longer what was registered is neither packaged nor served", async (_what, changes) => {
  const deployer = await createTestDeployer({ runs: [RUN] });
  const version = await register(deployer, "run1", {
    preprocessing_artifact_uri: "runs:/run1/preprocessing",
  });
  await promote(deployer, version, "staging");
  deployer.registry.addRun({ ...RUN, ...changes });
  const error = await errorOf(deploy(deployer, version, "staging"));
  expect(error).toMatchObject({ code: "artifact_rejected", retryable: false });
  expect(error.message).toContain("Register the new files as a new version.");
  expect(deployer.packager.built).toEqual([]);
  expect(deployer.server.started).toEqual([]);
});
