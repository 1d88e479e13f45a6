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
  signedFiles,
} from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";
import { newSigningKey } from "../../support/signing/keys.ts";

const path = `/v1/experiments/${EXPERIMENT}/policy`;
const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;
const EVA = "eva-has-a-long-secret";
const set = (signers: unknown) => ({ method: "PUT", token: EVA, body: { ...standard, signers } });
const [release, other] = [newSigningKey("release"), newSigningKey("other")];
const SIGNED = {
  run_id: "signed",
  metrics: { test_auc: 0.9 },
  models: { model: signedFiles({ MLmodel: "flavors: {}\n", "weights.bin": "1" }, release.privateKey) },
};

async function given() {
  const api = await givenApi();
  await api.deployer.database.principals.enrol("eva", EVA, { roles: ["administrator"] });
  api.deployer.registry.addRun(SIGNED);
  return api;
}

test("a policy's signers are set and shown with their fingerprints, and one that can verify nothing changes nothing", async () => {
  const { get, problem } = await given();
  const { kind, name, public_key } = release.signer;
  const { gate_policy } = await get(policyReportSchema, path, set([{ kind, name, public_key }]));
  expect(gate_policy.signers).toEqual([release.signer]);
  for (const wrong of [
    [],
    "release",
    [{ kind, name, public_key: release.privateKey }],
    [{ kind, name: "a b", public_key }],
    [{ kind: "identity", identity: "ci", issuer: "http://id.example.org" }],
    Array.from({ length: 21 }, (_value, index) => ({ kind, name: `k${index}`, public_key })),
  ]) {
    expect(await problem(path, set(wrong))).toMatchObject({ status: 400, code: "invalid_request" });
  }
  expect((await get(policyReportSchema, path)).gate_policy).toEqual(gate_policy);
});

test("a policy whose signers change names the versions of others, until they are archived", async () => {
  const { deployer, get } = await given();
  const others = async (signers: unknown) =>
    (await get(policyReportSchema, path, set(signers))).versions_signed_by_others;
  await others([release.signer]);
  const { version: model_version_id } = await inProduction(deployer, "signed");
  expect(await others([other.signer])).toEqual([
    {
      model_version_id,
      stage: "production",
      signed_by: [`key release (${release.signer.fingerprint.slice(0, 8)})`],
    },
  ]);
  expect(await others([other.signer, release.signer])).toEqual([]);
  expect(await others(null)).toEqual([]);
  await promoteWithApproval(deployer, model_version_id, "archived");
  expect(await others([other.signer])).toEqual([]);
});

test("what waits for an approval shows who signed it", async () => {
  const { deployer, get, problem } = await given();
  await get(policyReportSchema, path, set([release.signer]));
  const model_version_id = await readyForProduction(deployer, "signed");
  const asked = promoteState({ model_version_id, target_stage: "production" });
  expect(await problem("/v1/actions", { body: asked })).toMatchObject({ code: "approval_required" });
  const { operations } = await get(operationsReportSchema, "/v1/operations?state=waiting");
  const { decision } = await get(operationReportSchema, `/v1/operations/${operations[0]?.operation_id}`);
  const short = `key release (${release.signer.fingerprint.slice(0, 8)})`;
  expect(decision.filter(({ group }) => group === "signatures")).toEqual([
    {
      group: "signatures",
      what: "signed by",
      required: short,
      candidate: short,
      production: null,
      met: true,
    },
  ]);
});
