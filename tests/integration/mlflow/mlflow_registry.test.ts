import { randomUUID } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { NotFoundError, ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { MLflowClient } from "../../../src/mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../../src/mlops/mlflow/mlflow_registry.ts";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { FaultProxy } from "../../faults/harness/fault_proxy.ts";
import { MLflowSeed } from "./mlflow_seed.ts";

const { mlflowUrl, mlflowAuth: auth } = inject("mlflow");
const signal = new AbortController().signal;
const script = fileURLToPath(new URL("models.py", import.meta.url));
const newName = (): string => `integration_${randomUUID().slice(0, 8)}`;

let directory: string;
let client: MLflowClient;
let registry: MLflowRegistry;
let seed: MLflowSeed;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "mlflow-integration-"));
  client = new MLflowClient({ trackingUri: mlflowUrl, auth });
  registry = new MLflowRegistry({ client, artifactDirectory: directory });
  seed = new MLflowSeed(inject("mlflow"));
});
afterAll(async () => {
  await client.close();
  await rm(directory, { recursive: true, force: true });
});

async function python<T>(schema: z.ZodType<T>, ...args: string[]): Promise<T> {
  const tools = await ensureToolsEnvironment({ cacheDirectory: inject("cacheDirectory") });
  const env = childEnvironment({
    ...mlflowEnvironment(inject("mlflow")),
    MLFLOW_DISABLE_TELEMETRY: "true",
  });
  const { stdout } = await execa(tools.python, [script, ...args], {
    env,
    extendEnv: false,
    timeout: 240_000,
  });
  return schema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}

describe("a model that MLflow's own library has logged", () => {
  const trainedSchema = z.object({ run_id: z.string(), model_id: z.string() });
  let trained: z.infer<typeof trainedSchema>;
  beforeAll(async () => {
    trained = await python(trainedSchema, "train");
  });

  it("is described with its metrics and what it was made with", async () => {
    const described = await registry.describeRun(trained.run_id, { signal });
    expect(described).toMatchObject({ status: "finished", metrics: { roc_auc: 0.93 }, algorithm: "sklearn" });
  });

  it("is described with what its callers send and get, before it is fetched and after", async () => {
    const model = `runs:/${trained.run_id}/model`;
    const files = { model, preprocessing: null };
    const { signature } = await registry.describeRun(trained.run_id, { signal, files });
    expect(signature).toEqual({
      inputs: [
        { name: "age", type: "double", required: true },
        { name: "visits", type: "integer", required: true },
      ],
      outputs: [{ name: null, type: "tensor of int64 [-1]", required: true }],
      params: [
        { name: "cut", type: "double", required: false },
        { name: "tags", type: "array of string", required: false },
      ],
    });
    expect((await registry.fetchArtifact(model, { signal })).signature).toEqual(signature);
  });

  it("is fetched with the same digest before and after it is registered", async () => {
    const uri = `runs:/${trained.run_id}/model`;
    const before = await registry.fetchArtifact(uri, { signal });
    expect(await readdir(before.path)).toEqual(expect.arrayContaining(["MLmodel", "requirements.txt"]));
    const input = { model_name: newName(), run_id: trained.run_id, source: uri, request_key: "k" };
    const { model_name, version } = await registry.registerVersion(input, { signal });
    expect(await registry.fetchArtifact(uri, { signal })).toEqual(before);
    expect(await registry.fetchArtifact(`models:/${model_name}/${version}`, { signal })).toEqual(before);
    expect(await registry.fetchArtifact(`models:/${trained.model_id}`, { signal })).toEqual(before);
  });

  it("can be loaded by MLflow's own library from the version that we registered", async () => {
    const source = `runs:/${trained.run_id}/model`;
    const input = { model_name: newName(), run_id: trained.run_id, source, request_key: "k" };
    const { model_name, version } = await registry.registerVersion(input, { signal });
    const aliases = { aliases: ["production"], dropped_aliases: [] };
    await registry.projectStage({ model_name, version, stage: "production", ...aliases }, { signal });
    const loaded = await python(
      z.object({ predictions: z.array(z.number()) }),
      "load",
      `models:/${model_name}@production`,
    );
    expect(loaded.predictions).toEqual([1, 0]);
  });
});

describe("a run of MLflow 2", () => {
  it("says in a tag what its model was made with", async () => {
    const { run_id } = await seed.addRun({});
    const history = [{ flavors: { python_function: {}, xgboost: {} } }];
    await seed.setRunTag(run_id, "mlflow.log-model.history", JSON.stringify(history));
    expect((await registry.describeRun(run_id, { signal })).algorithm).toBe("xgboost");
  });
});

describe("a deleted run", () => {
  it("is not found", async () => {
    const { run_id } = await seed.addRun({});
    await seed.deleteRun(run_id);
    await expect(registry.describeRun(run_id, { signal })).rejects.toThrow(NotFoundError);
  });
});

describe("MLflow's deprecated stage", () => {
  it("follows where it is to be mirrored, and stays through shadow", async () => {
    const mirroring = new MLflowRegistry({ client, artifactDirectory: directory, mirrorLegacyStages: true });
    const { run_id } = await seed.addRun({ artifacts: { "model/MLmodel": "flavors:\n" } });
    const input = { model_name: newName(), run_id, source: `runs:/${run_id}/model`, request_key: "k" };
    const { model_name, version } = await mirroring.registerVersion(input, { signal });
    const seen: string[] = [];
    for (const stage of ["staging", "shadow", "production", "archived"] as const) {
      await mirroring.projectStage(
        { model_name, version, stage, aliases: [], dropped_aliases: [] },
        { signal },
      );
      seen.push((await client.getModelVersion(model_name, version, signal)).current_stage);
    }
    expect(seen).toEqual(["Staging", "Staging", "Production", "Archived"]);
  });
});

describe("a reply that is lost", () => {
  let proxy: FaultProxy;
  let behindProxy: MLflowClient;
  let lossy: MLflowRegistry;
  beforeAll(async () => {
    const before = await FaultProxy.beforeUrl(mlflowUrl);
    proxy = before.proxy;
    const breaker = { consecutiveFailures: 100, halfOpenAfterMs: 100 };
    behindProxy = new MLflowClient({ trackingUri: before.url, auth, breaker });
    lossy = new MLflowRegistry({ client: behindProxy, artifactDirectory: directory });
  });
  afterAll(async () => {
    await behindProxy.close();
    await proxy.close();
  });

  async function versionsOf(name: string): Promise<number[]> {
    const query = { name, tag: "model_deployer.request_key", value: "k" };
    return (await client.findModelVersions(query, signal)).map(({ version }) => version);
  }

  it.each(["registered-models/create", "model-versions/create", "model-versions/search"])(
    "to %s makes no second version",
    async (path) => {
      const { run_id } = await seed.addRun({ artifacts: { "model/MLmodel": "flavors:\n" } });
      const input = { model_name: newName(), run_id, source: `runs:/${run_id}/model`, request_key: "k" };
      await proxy.set("reply_lost", { asking: path, times: 1 });
      const registered = await lossy.registerVersion(input, { signal });
      expect(registered).toMatchObject({ version: 1, run_id });
      expect(await lossy.registerVersion(input, { signal })).toEqual(registered);
      expect(await versionsOf(input.model_name)).toEqual([1]);
    },
  );

  it("each time leaves one version, found by looking", async () => {
    const { run_id } = await seed.addRun({ artifacts: { "model/MLmodel": "flavors:\n" } });
    const input = { model_name: newName(), run_id, source: `runs:/${run_id}/model`, request_key: "k" };
    await proxy.set("reply_lost", { asking: "model-versions/create" });
    expect(await lossy.registerVersion(input, { signal })).toMatchObject({ version: 1 });
    expect(await versionsOf(input.model_name)).toEqual([1]);
    await proxy.mend();
  });

  it("of a removed duplicate leaves the lowest version only", async () => {
    const { run_id } = await seed.addRun({ artifacts: { "model/MLmodel": "flavors:\n" } });
    const source = `runs:/${run_id}/model`;
    const input = { model_name: newName(), run_id, source, request_key: "k" };
    await registry.registerVersion(input, { signal });
    const tags = { "model_deployer.request_key": "k", "model_deployer.source": source };
    const duplicate = { name: input.model_name, source, run_id, model_id: null, tags };
    await client.createModelVersion(duplicate, signal);
    expect(await versionsOf(input.model_name)).toHaveLength(2);
    await proxy.set("reply_lost", { asking: "model-versions/delete", times: 1 });
    expect(await lossy.registerVersion(input, { signal })).toMatchObject({ version: 1 });
    expect(await versionsOf(input.model_name)).toEqual([1]);
  });
});

describe("a server that is not there", () => {
  it("is reported as such by every call, and by the health check", async () => {
    const { proxy: nobody, url: trackingUri } = await FaultProxy.beforeUrl(mlflowUrl);
    await nobody.close();
    const lonely = new MLflowClient({ trackingUri });
    const absent = new MLflowRegistry({ client: lonely, artifactDirectory: directory });
    await expect(lonely.health(signal)).rejects.toThrow(ServiceUnavailableError);
    await expect(absent.describeRun("r", { signal })).rejects.toThrow(ServiceUnavailableError);
    await expect(absent.fetchArtifact("runs:/r/model", { signal })).rejects.toThrow(ServiceUnavailableError);
    await lonely.close();
    await client.health(signal);
  });
});
