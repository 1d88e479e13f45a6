import { randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { ArtifactRejectedError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import {
  Bench,
  MODEL_FILES,
  PREPROCESSING,
  SIGNATURE,
  expectedDigest,
  filesIn,
  newName,
  options,
  type ModelRegistryHarness,
} from "./bench.ts";

export function describeArtifacts(prepare: () => Promise<ModelRegistryHarness>): void {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.prepare(prepare);
  });

  describe("fetchArtifact", () => {
    describeFetchedFiles(() => bench);
    describeRefusedArtifacts(() => bench);
  });
}

function describeFetchedFiles(bench: () => Bench): void {
  it("fetches the same files into the same folder by every way that leads to them", async () => {
    const modelId = bench().run.model_ids["model"] ?? "";
    const { model_name, version } = await bench().register(newName(), "k");
    for (const uri of [
      `runs:/${bench().run.run_id}/model`,
      `runs:/${bench().run.run_id}/model/`,
      `models:/${modelId}`,
      `models:/${model_name}/${version}`,
      `mlflow-artifacts:/0/models/${modelId}/artifacts`,
    ]) {
      const fetched = await bench().registry.fetchArtifact(uri, options);
      expect(fetched.digest, uri).toBe(expectedDigest(MODEL_FILES));
      expect(fetched.path.endsWith(`/${fetched.digest}`), uri).toBe(true);
      expect(await filesIn(fetched.path), uri).toEqual(MODEL_FILES);
      expect(fetched.signature, uri).toEqual(SIGNATURE);
      expect(fetched.loading?.formats, uri).toEqual(["pickle"]);
    }
  });

  it("fetches what lies in the run's own folder, with its folders", async () => {
    const fetched = await bench().registry.fetchArtifact(
      `runs:/${bench().run.run_id}/preprocessing`,
      options,
    );
    expect(await filesIn(fetched.path)).toEqual({
      "scaler.json": PREPROCESSING["preprocessing/scaler.json"],
      "deep/er/columns.txt": PREPROCESSING["preprocessing/deep/er/columns.txt"],
    });
  });

  it.each(["preprocessing/scaler.json", "model/data/weights.bin"])(
    "fetches the single file %s into a folder",
    async (path) => {
      const fetched = await bench().registry.fetchArtifact(`runs:/${bench().run.run_id}/${path}`, options);
      const name = path.slice(path.lastIndexOf("/") + 1);
      const content = path.startsWith("model") ? "0123456789" : '{"mean":0}';
      expect(await filesIn(fetched.path)).toEqual({ [name]: content });
      expect(fetched.digest).toBe(expectedDigest({ [name]: content }));
    },
  );

  it("gives several callers at once the same folder, whole", async () => {
    const seeded = await bench().harness.seedRun({ artifacts: { "m/one": randomUUID(), "m/two": "2" } });
    const fetched = await Promise.all(
      Array.from({ length: 4 }, () => bench().registry.fetchArtifact(`runs:/${seeded.run_id}/m`, options)),
    );
    expect(new Set(fetched.map(({ path }) => path)).size).toBe(1);
    expect(Object.keys(await filesIn(fetched[0]?.path ?? "")).sort()).toEqual(["one", "two"]);
  });
}

function describeRefusedArtifacts(bench: () => Bench): void {
  it("rejects a model whose signature cannot be read", async () => {
    const MLmodel = "flavors: {}\nsignature:\n  inputs: '[{'\n";
    const seeded = await bench().harness.seedRun({ artifacts: { "m/MLmodel": MLmodel } });
    const fetching = bench().registry.fetchArtifact(`runs:/${seeded.run_id}/m`, options);
    await expect(fetching).rejects.toThrow(ArtifactRejectedError);
  });

  it("does not find what is not there", async () => {
    for (const uri of [
      `runs:/${bench().run.run_id}/nothing`,
      `runs:/${bench().run.run_id}/model/nothing`,
      `runs:/${"f".repeat(32)}/model`,
      "models:/no_such_model/1",
      "models:/m-00000000000000000000000000000000",
      "mlflow-artifacts:/0/nothing/here",
    ]) {
      await expect(bench().registry.fetchArtifact(uri, options), uri).rejects.toThrow(NotFoundError);
    }
  });

  it.each([
    "s3://bucket/key",
    "file:///etc/passwd",
    "/etc/passwd",
    "runs:/../x",
    "mlflow-artifacts:/0/%2e%2e/x",
    "mlflow-artifacts://user:secret@host/x",
    "models:/name/latest",
    "models:/name@champion",
  ])("refuses %s", async (uri) => {
    await expect(bench().registry.fetchArtifact(uri, options)).rejects.toThrow(ArtifactRejectedError);
  });
}
