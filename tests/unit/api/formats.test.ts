import { expect, test } from "vitest";
import { STANDARD_GATE_POLICY } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import {
  operationReportSchema,
  operationsReportSchema,
} from "../../../src/service/operations/operation_schemas.ts";
import { policyReportSchema } from "../../../src/service/policies/policy_schemas.ts";
import {
  EXPERIMENT,
  inProduction,
  promoteState,
  promoteWithApproval,
  readyForProduction,
  type RunSeed,
} from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";

const path = `/v1/experiments/${EXPERIMENT}/policy`;
const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;
const EVA = "eva-has-a-long-secret";
const set = (formats: unknown) => ({ method: "PUT", token: EVA, body: { ...standard, formats } });

const MLmodel = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n";
const PICKLED: RunSeed = {
  run_id: "pickled",
  metrics: { test_auc: 0.9 },
  models: { model: { MLmodel, "model.pkl": "bytes" } },
};

test("a policy's formats are set and shown, and one with a format that there is not changes nothing", async () => {
  const { deployer, get, problem } = await givenApi();
  await deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  const { gate_policy } = await get(policyReportSchema, path, set(["onnx", "pickle"]));
  expect(gate_policy.formats).toEqual(["onnx", "pickle"]);
  for (const wrong of [["onnx", "marshal"], [], "onnx"]) {
    expect(await problem(path, set(wrong))).toMatchObject({ status: 400, code: "invalid_request" });
  }
  const shown = {
    experiment_id: EXPERIMENT,
    gate_policy,
    versions_in_other_formats: [],
    versions_signed_by_others: [],
    deployments_on_other_engines: [],
  };
  expect(await get(policyReportSchema, path)).toEqual(shown);
});

test("a policy that is tightened names the versions that are in other formats, until they are archived", async () => {
  const { deployer, get } = await givenApi();
  await deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  deployer.registry.addRun(PICKLED);
  const { version: model_version_id } = await inProduction(deployer, "pickled");
  const others = async (formats: unknown) =>
    (await get(policyReportSchema, path, set(formats))).versions_in_other_formats;
  expect(await others(["onnx"])).toEqual([{ model_version_id, stage: "production", formats: ["pickle"] }]);
  expect(await others(["pickle"])).toEqual([]);
  expect(await others(null)).toEqual([]);
  await promoteWithApproval(deployer, model_version_id, "archived");
  expect(await others(["onnx"])).toEqual([]);
});

test("what waits for an approval shows what loading it would import", async () => {
  const { deployer, get, problem } = await givenApi();
  deployer.registry.addRun(PICKLED);
  const model_version_id = await readyForProduction(deployer, "pickled");
  const asked = promoteState({ model_version_id, target_stage: "production" });
  expect(await problem("/v1/actions", { body: asked })).toMatchObject({ code: "approval_required" });
  const { operations } = await get(operationsReportSchema, "/v1/operations?state=waiting");
  const { decision } = await get(operationReportSchema, `/v1/operations/${operations[0]?.operation_id}`);
  expect(decision.filter(({ group }) => group === "loading")).toMatchObject([
    { what: "formats of its files", candidate: "pickle", required: null, production: null },
    { what: "not all is known of", candidate: "model/model.pkl: files in memory are not read" },
  ]);
});
