import { appendFile, chmod, cp, glob, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { z } from "zod";
import type { Signer } from "../../../src/agents/model_deployer/domain/models/signers.ts";
import { authorization } from "../../../src/mlops/mlflow/mlflow_transport.ts";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { errorOf } from "../../../src/testing/index.ts";
import { newSigningKey } from "../../support/signing/keys.ts";
import { signByProgram } from "../../support/signing/model_signing.ts";
import { act, deploy, deployer, environment, experiment, predict, register, runNamed } from "./world.ts";

/** A model that MLflow logged and model-signing signed, on the real parts. */

const [release, other] = [newSigningKey("release"), newSigningKey("other")];
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-signed-"));
  await writeFile(join(folder, "release.pem"), release.privateKey);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function ask(signers: Signer[]): Promise<void> {
  const { experiments } = deployer.database;
  const { policy_id: _, ...policy } = await experiments.getGatePolicy(experiment);
  await experiments.setGatePolicy(experiment, { ...policy, signers, reason: "ours" }, "tests");
}

/** As its trainer does it: signs what the registry has of the run's model, and logs the signature beside it. */
async function signModelOf(run: string): Promise<void> {
  const signal = AbortSignal.timeout(300_000);
  const fetched = await deployer.parts.registry.fetchArtifact(`runs:/${run}/model`, { signal });
  const model = join(folder, run);
  await cp(fetched.path, model, { recursive: true });
  await signByProgram(model, ["key", "--private_key", join(folder, "release.pem")]);
  const { python } = await ensureToolsEnvironment({ cacheDirectory: inject("cacheDirectory") });
  const code = [
    "import sys, mlflow",
    "client = mlflow.MlflowClient()",
    "run = client.get_run(sys.argv[1])",
    "client.log_model_artifact(run.outputs.model_outputs[0].model_id, sys.argv[2])",
  ].join("\n");
  const args = ["-c", code, run, join(model, "model.sig")];
  await execa(python, args, { env: childEnvironment(mlflowEnvironment(inject("mlflow"))), extendEnv: false });
}

async function registeredModels(): Promise<string[]> {
  const { mlflowUrl, mlflowAuth } = inject("mlflow");
  const answer = await fetch(`${mlflowUrl}/api/2.0/mlflow/registered-models/search?max_results=1000`, {
    headers: authorization(mlflowAuth),
  });
  const schema = z.object({ registered_models: z.array(z.object({ name: z.string() })).default([]) });
  return schema.parse(await answer.json()).registered_models.map(({ name }) => name);
}

test("a signed model is registered and served; without its signer nothing new is, and what serves goes on until its files change", async () => {
  await ask([release.signer]);
  const unsigned = await errorOf(register("v1"));
  expect(unsigned).toMatchObject({ code: "artifact_rejected", details: { problem: "missing" } });
  expect((await registeredModels()).filter((name) => name.includes(experiment))).toEqual([]);

  await signModelOf(runNamed("v1"));
  const { model_version_id } = await register("v1");
  const { signed_by } = (await deployer.database.modelVersions.get(model_version_id)) ?? {};
  expect(signed_by).toMatchObject([{ artifact: "model", signer: release.signer.fingerprint }]);
  await act("promote", { model_version_id, target_stage: "staging" });
  const request = { model_version_id, target_stage: "staging" };
  const { deployment_manifest: served } = await deploy(request);
  const url = served?.endpoint_url ?? "";
  expect(await predict(url)).toMatchObject({ status: 200 });

  await ask([other.signer]);
  const anew = await errorOf(act("deploy", { ...request, request_id: "anew" }));
  expect(anew).toMatchObject({ code: "artifact_rejected", retryable: false });
  expect(anew.message).toContain("was signed by key release");
  const deployment_id = served?.deployment_id ?? "";
  await act("restart", { deployment_id, restart_reason: "its signer was taken out", request_id: "one" });
  expect(await predict(url)).toMatchObject({ status: 200 });

  const home = environment["MODEL_DEPLOYER_HOME"] ?? "";
  for await (const file of glob(join(home, "bentoml", "bentos", "*", "*", "src", "model", "MLmodel"))) {
    await chmod(file, 0o644);
    await appendFile(file, "\n");
  }
  const altered = await errorOf(
    act("restart", { deployment_id, restart_reason: "again", request_id: "two" }),
  );
  expect(altered.message).toContain("was changed: its model has the digest");
  expect(await predict(url)).toMatchObject({ status: 200, deployment: deployment_id });
});
