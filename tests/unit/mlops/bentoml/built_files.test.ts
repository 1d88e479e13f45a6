import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { digestArtifact } from "../../../../src/mlops/bentoml/packaging/bento_artifact.ts";
import { assertBuiltFiles } from "../../../../src/mlops/bentoml/packaging/built_files.ts";
import type { StoredBento } from "../../../../src/mlops/bentoml/packaging/bento_store.ts";
import { expectedDigest } from "../../../../src/testing/contracts/model_registry/bench.ts";

const FILES = { MLmodel: "flavors: {}\n", "code/scores.py": "limit = 4\n", "data/weights.bin": "abcd" };

let bento: StoredBento;

beforeEach(async () => {
  const path = await mkdtemp(join(tmpdir(), "model-deployer-bento-"));
  for (const [name, text] of Object.entries(FILES)) await put(path, `model/${name}`, text);
  await cp(join(path, "src", "model"), join(path, "src", "preprocessing"), { recursive: true });
  const digest = expectedDigest(FILES);
  bento = {
    path,
    settings: {
      bento_tag: "e2i_churn:v1",
      model_name: "churn",
      model_version: "1",
      artifact_digest: digest,
      preprocessing_digest: digest,
      requirements: [],
    },
  };
});

afterEach(() => rm(bento.path, { recursive: true }));

async function put(bentoPath: string, name: string, text: string): Promise<void> {
  const file = join(bentoPath, "src", name);
  await mkdir(join(file, ".."), { recursive: true });
  await writeFile(file, text);
}

test("a bento's files have the digest by which their artifact was registered", async () => {
  expect(await digestArtifact(join(bento.path, "src", "model"))).toBe(bento.settings.artifact_digest);
  await assertBuiltFiles(bento);
});

test.each([
  ["model", "a changed file", "model/data/weights.bin"],
  ["model", "a file more", "model/code/more.py"],
  ["preprocessing", "a changed file", "preprocessing/MLmodel"],
])("a bento is refused with %s that has %s", async (folder, _what, name) => {
  await put(bento.path, name, "another");
  const refusal = { code: "endpoint_creation_failed", details: { folder } };
  await expect(assertBuiltFiles(bento)).rejects.toMatchObject(refusal);
  await expect(assertBuiltFiles(bento)).rejects.toThrow(`remove ${bento.path}`);
});

test("what Python has compiled beside a model's own code does not count", async () => {
  await put(bento.path, "model/code/__pycache__/scores.cpython-312.pyc", "compiled");
  await assertBuiltFiles(bento);
});
