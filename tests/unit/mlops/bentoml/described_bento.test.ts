import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { describeBento } from "../../../../src/mlops/bentoml/packaging/build_context.ts";

let model = "";

beforeEach(async () => {
  model = await mkdtemp(join(tmpdir(), "model-deployer-described-"));
  await writeFile(join(model, "MLmodel"), "flavors: {}\n");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(model, { recursive: true });
});

const described = () =>
  describeBento({
    bento_tag: "e2i_m:v1",
    model_name: "m",
    version: 1,
    model_path: model,
    preprocessing_path: null,
    artifact_digest: "a".repeat(64),
  });

test.each([
  ["python: 3.12.1\nbuild_dependencies:\n- pip\n", "3.12.1"],
  ["python: '3.10'\n", "3.10"],
  ["python: 2.7.18\n", undefined],
  ["python: [\n", undefined],
  [null, undefined],
])("of a python_env.yaml with %j the Python is %s", async (text, python) => {
  await writeFile(join(model, "requirements.txt"), "numpy\n");
  if (text !== null) await writeFile(join(model, "python_env.yaml"), text);
  expect((await described()).python).toBe(python);
});

test("an index is left out where it is configured, and its password is kept nowhere", async () => {
  const index = "https://me:secret@host.example/simple";
  await writeFile(join(model, "requirements.txt"), `--extra-index-url ${index}\nnumpy\n`);
  await expect(described()).rejects.toThrow(/not configured here/);
  await expect(described()).rejects.not.toThrow(/secret/);
  vi.stubEnv("UV_INDEX", "https://host.example/simple/");
  expect((await described()).requirements[0]).toBe("numpy");
});
