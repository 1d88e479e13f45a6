import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, inject } from "vitest";
import { stageSchema } from "../../../src/agents/model_deployer/domain/entities.ts";
import { inspectLoading } from "../../../src/mlops/loading/loading_inspector.ts";
import { MLflowClient } from "../../../src/mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../../src/mlops/mlflow/mlflow_registry.ts";
import { MLflowSeed } from "../../integration/mlflow/mlflow_seed.ts";
import { SignatureVerifier } from "../../../src/mlops/signing/signature_verifier.ts";
import { signingEnvironment } from "../../support/signing/model_signing.ts";
import { describeModelRegistry } from "../../../src/testing/contracts/model_registry_contract.ts";

const undo: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const step of undo) await step();
});

describeModelRegistry("MLflow", async () => {
  const artifactDirectory = await mkdtemp(join(tmpdir(), "mlflow-contract-"));
  const { mlflowUrl, mlflowAuth: auth } = inject("mlflow");
  const client = new MLflowClient({ trackingUri: mlflowUrl, auth });
  undo.push(
    () => client.close(),
    () => rm(artifactDirectory, { recursive: true, force: true }),
  );
  const verifier = new SignatureVerifier({ environment: signingEnvironment, trustedRoot: null });
  const seed = new MLflowSeed(inject("mlflow"));
  return {
    registry: new MLflowRegistry({
      client,
      artifactDirectory,
      inspect: (folder, _where, signal) => inspectLoading(folder, signal),
      verify: (...asked) => verifier.verify(...asked),
    }),
    seedRun: (run) => seed.addRun(run),
    projectionOf: async (modelName, version) => {
      const seen = await client.getModelVersion(modelName, version, AbortSignal.timeout(120_000));
      const tag = seen.tags.find(({ key }) => key === "e2i.stage")?.value ?? null;
      return { stage: stageSchema.nullable().parse(tag), aliases: seen.aliases.sort() };
    },
  };
});
