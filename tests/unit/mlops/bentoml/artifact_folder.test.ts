import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  digestArtifact,
  listArtifact,
  placeArtifact,
} from "../../../../src/mlops/bentoml/packaging/bento_artifact.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "model-deployer-artifact-"));
  await mkdir(join(directory, "model", "data"), { recursive: true });
  await writeFile(join(directory, "model", "MLmodel"), "flavors: {}\n");
  await writeFile(join(directory, "model", "data", "weights.bin"), "abc");
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("an artifact's folder", () => {
  it("is listed by path, placed whole, and keeps its digest", async () => {
    const model = join(directory, "model");
    const copy = join(directory, "copy");
    await placeArtifact(model, copy);
    expect(await listArtifact(copy)).toEqual([
      { path: "MLmodel", size: 12 },
      { path: "data/weights.bin", size: 3 },
    ]);
    expect(await digestArtifact(copy)).toBe(await digestArtifact(model));
    await rm(join(copy, "MLmodel"));
    expect(await readFile(join(model, "MLmodel"), "utf8")).toBe("flavors: {}\n");
    expect(await digestArtifact(copy)).not.toBe(await digestArtifact(model));
  });

  it("is refused with a link in it, or when it is missing", async () => {
    await symlink("/etc/passwd", join(directory, "model", "data", "link"));
    const refusal = { code: "endpoint_creation_failed" };
    await expect(listArtifact(join(directory, "model"))).rejects.toMatchObject(refusal);
    await expect(listArtifact(join(directory, "nowhere"))).rejects.toMatchObject(refusal);
  });
});
