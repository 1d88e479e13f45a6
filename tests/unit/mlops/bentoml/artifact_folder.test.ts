import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  digestArtifact,
  listArtifact,
  placeArtifact,
  readRequirements,
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

describe("a model's requirements", () => {
  const write = (name: string, text: string) => writeFile(join(directory, "model", name), text);

  it("are its lines without comments, and what a constraints file adds", async () => {
    await write("requirements.txt", "mlflow==3.17.2  # pinned\n\n# more\nnumpy\n-c constraints.txt\n");
    await write("constraints.txt", "scipy<2\n");
    expect(await readRequirements(join(directory, "model"))).toEqual(["mlflow==3.17.2", "numpy", "scipy<2"]);
  });

  it("are required", async () => {
    await expect(readRequirements(join(directory, "model"))).rejects.toThrow(/no requirements\.txt/);
    await write("requirements.txt", "-c constraints.txt\n");
    await expect(readRequirements(join(directory, "model"))).rejects.toThrow(
      /constraints\.txt that is missing/,
    );
  });
});
