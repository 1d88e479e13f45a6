import { expect, test } from "vitest";
import type { Signer } from "../../../src/agents/model_deployer/domain/models/signers.ts";
import { decisionTable } from "../../../src/agents/model_deployer/planning/approval/decision_table.ts";
import {
  act,
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  type Files,
  inProduction,
  promote,
  promoteWithApproval,
  questionOf,
  readyForProduction,
  register,
  type RunSeed,
  signedFiles,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { newSigningKey } from "../../support/signing/keys.ts";

const release = newSigningKey("release");
const other = newSigningKey("other", "P-384");
const ofRun = (run_id: string, files: Files, artifacts: Files = {}): RunSeed => ({
  run_id,
  metrics: { test_auc: 0.9 },
  models: { model: files },
  artifacts,
});
const filesOf = (run_id: string): Files => ({ MLmodel: "flavors: {}\n", "data/weights.bin": run_id });
const signedRun = (run_id: string, { privateKey } = release): RunSeed =>
  ofRun(run_id, signedFiles(filesOf(run_id), privateKey));
const unsignedRun = (run_id: string): RunSeed => ofRun(run_id, filesOf(run_id));

async function ask({ database }: TestDeployer, signers: Signer[] | null): Promise<void> {
  const { policy_id: _, ...policy } = await database.experiments.getGatePolicy(EXPERIMENT);
  await database.experiments.setGatePolicy(EXPERIMENT, { ...policy, signers, reason: "ours" }, "ana");
}

const versionsOf = ({ database }: TestDeployer) => database.modelVersions.list(EXPERIMENT);
const SIGNED_BY_RELEASE = {
  artifact: "model",
  kind: "key",
  name: "release",
  signer: release.signer.fingerprint,
  subject: null,
};

test("where a policy names signers, a signed model is registered with who signed it, and any other is not", async () => {
  const given = await createTestDeployer({
    runs: [signedRun("ours"), signedRun("theirs", other), unsignedRun("nobodys")],
  });
  await ask(given, [release.signer]);
  const unsigned = await errorOf(register(given, "nobodys"));
  expect(unsigned).toMatchObject({
    code: "artifact_rejected",
    retryable: false,
    details: { problem: "missing" },
  });
  expect(unsigned.message).toContain("is not signed: it has no model.sig");
  expect(unsigned.next[0]?.command).toContain(`policy set ${EXPERIMENT} --signed-by none`);
  const theirs = await errorOf(register(given, "theirs"));
  expect(theirs).toMatchObject({ code: "artifact_rejected", details: { problem: "not_allowed" } });
  expect(theirs.message).toContain(`key release (${release.signer.fingerprint.slice(0, 8)})`);
  expect(await versionsOf(given)).toEqual([]);

  const version = await register(given, "ours");
  expect((await given.database.modelVersions.get(version))?.signed_by).toEqual([SIGNED_BY_RELEASE]);
  await promote(given, version, "staging");
  expect(await deploy(given, version, "staging")).toMatchObject({ status: "active" });
});

const files = filesOf("run");
const signed = signedFiles(files, release.privateKey);
const replayed = signedFiles(filesOf("another"), release.privateKey);
test.each<[string, Files, string, string]>([
  ["an altered file", { ...signed, "data/weights.bin": "evil" }, "files_differ", "altered: data/weights.bin"],
  ["an added file", { ...signed, "code/extra.py": "evil" }, "files_differ", "added: code/extra.py"],
  [
    "a missing file",
    signedFiles({ ...files, more: "" }, release.privateKey),
    "files_differ",
    "missing: more",
  ],
  [
    "the signature of another model",
    { ...files, "model.sig": replayed["model.sig"] ?? "" },
    "files_differ",
    "altered",
  ],
  [
    "a file that the signer left out",
    signedFiles({ ...files, ".git/x.py": "" }, release.privateKey, [".git"]),
    "files_not_covered",
    ".git/x.py",
  ],
  ["a signature that is no JSON", { ...files, "model.sig": "trust me" }, "unreadable", "no bundle"],
  ["an empty signature", { ...files, "model.sig": "" }, "unreadable", "no bundle"],
  ["a huge signature", { ...files, "model.sig": " ".repeat(17 * 1024 ** 2) }, "unreadable", "too large"],
])("%s is refused before it is registered, and it is said which", async (_what, made, problem, said) => {
  const whole = problem === "files_differ" && said === "missing: more" ? withoutMore(made) : made;
  const given = await createTestDeployer({ runs: [ofRun("run", whole)] });
  await ask(given, [release.signer]);
  const refused = await errorOf(register(given, "run"));
  expect(refused).toMatchObject({ code: "artifact_rejected", retryable: false, details: { problem } });
  expect(refused.message).toContain(said);
  expect(await versionsOf(given)).toEqual([]);
});

function withoutMore({ more: _, ...rest }: Files): Files {
  return rest;
}

test("preprocessing is signed as well, by anybody whom the policy names", async () => {
  const preprocessing = (made: Files): Files =>
    Object.fromEntries(Object.entries(made).map(([path, text]) => [`scaler/${path}`, text]));
  const scaler = { "scaler.json": "{}" };
  const model = signedFiles(filesOf("run"), release.privateKey);
  const given = await createTestDeployer({
    runs: [
      ofRun("bare", model, preprocessing(scaler)),
      ofRun("both", model, preprocessing(signedFiles(scaler, other.privateKey))),
    ],
  });
  await ask(given, [release.signer, other.signer]);
  const of = (run: string) => ({ preprocessing_artifact_uri: `runs:/${run}/scaler` });
  const refused = await errorOf(register(given, "bare", of("bare")));
  expect(refused).toMatchObject({ details: { problem: "missing" } });
  expect(refused.message).toContain("runs:/bare/scaler");
  const version = await register(given, "both", of("both"));
  const { signed_by } = (await given.database.modelVersions.get(version)) ?? {};
  expect(signed_by?.map(({ artifact, name }) => [artifact, name])).toEqual([
    ["model", "release"],
    ["preprocessing", "other"],
  ]);
});

test("whoever approves reads who signed the version, and who the one at production", async () => {
  const given = await createTestDeployer({ runs: [signedRun("run1"), signedRun("run2", other)] });
  await ask(given, [release.signer, other.signer]);
  await inProduction(given, "run1");
  const next = await readyForProduction(given, "run2");
  const asked = { model_version_id: next, target_stage: "production" as const, promotion_reason: "better" };
  const { evidence } = questionOf(await act(given, "promote", asked));
  const rows = decisionTable({ evidence, on_success: [] });
  const short = ({ signer }: typeof release) => `key ${signer.name} (${signer.fingerprint.slice(0, 8)})`;
  expect(rows.filter(({ group }) => group === "signatures")).toEqual([
    {
      group: "signatures",
      what: "signed by",
      required: `${short(release)}; ${short(other)}`,
      candidate: short(other),
      production: short(release),
      met: true,
    },
  ]);
});

test("a signer who was taken out lets no version be deployed anew or promoted to production", async () => {
  const given = await createTestDeployer({ runs: [signedRun("run1"), signedRun("run2")] });
  await ask(given, [release.signer]);
  const staged = await register(given, "run1");
  await promote(given, staged, "staging");
  const ready = await readyForProduction(given, "run2");
  await ask(given, [other.signer]);
  const started = [...given.server.started];
  const refused = await errorOf(deploy(given, staged, "staging"));
  expect(refused).toMatchObject({ code: "artifact_rejected", retryable: false });
  expect(refused.message).toContain("was signed by key release");
  expect(refused.next[0]?.command).toContain(`policy set ${EXPERIMENT} --signed-by other`);
  const gate = await errorOf(promoteWithApproval(given, ready));
  expect(gate).toMatchObject({ code: "production_criteria_not_met", retryable: false });
  expect(gate.details["unmet"]).toEqual([expect.objectContaining({ criterion: "signers" })]);
  expect(given.server.started).toEqual(started);
});

test("what serves when its signer is taken out goes on, is restarted and repaired, and comes back by a rollback", async () => {
  const given = await createTestDeployer({ runs: [signedRun("run1"), signedRun("run2", other)] });
  await ask(given, [release.signer, other.signer]);
  const { deployment } = await inProduction(given, "run1");
  const next = await readyForProduction(given, "run2");
  await ask(given, [other.signer]);
  await act(given, "restart", { deployment_id: deployment, restart_reason: "it was slow" });
  given.server.crash(deployment);
  await given.capabilities.reconciler.reconcile({ signal: new AbortController().signal });
  expect(given.server.started.filter((one) => one === deployment)).toHaveLength(2);
  await promoteWithApproval(given, next);
  const rollout = {
    steps: [
      { weight: 10, bake_seconds: 60 },
      { weight: 100, bake_seconds: 0 },
    ],
  };
  expect(await deploy(given, next, "production", { rollout })).toMatchObject({
    rollout: { status: "running" },
  });
  await act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense" });
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [deployment]: 100 });
});

test("a version from before signatures were asked for is verified when it is deployed, packaged before or not", async () => {
  const given = await createTestDeployer({ runs: [signedRun("ours"), unsignedRun("nobodys")] });
  const ours = await register(given, "ours");
  const nobodys = await register(given, "nobodys");
  for (const version of [ours, nobodys]) {
    await promote(given, version, "staging");
    await deploy(given, version, "staging");
    expect((await given.database.modelVersions.get(version))?.signed_by).toBeNull();
  }
  await ask(given, [release.signer]);
  expect(await deploy(given, ours, "staging", { request_id: "a" })).toMatchObject({ status: "active" });
  const refused = await errorOf(deploy(given, nobodys, "staging", { request_id: "b" }));
  expect(refused).toMatchObject({ code: "artifact_rejected", details: { problem: "missing" } });
  await ask(given, null);
  expect(await deploy(given, nobodys, "staging", { request_id: "c" })).toMatchObject({ status: "active" });
});
