import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  readPythonVersion,
  readRequirements,
} from "../../../../src/mlops/bentoml/packaging/artifact_environment.ts";
import { checkedRequirements } from "../../../../src/platform/python/requirements/requirement_lines.ts";

let directory = "";
const write = (name: string, text: string) => writeFile(join(directory, name), text);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "model-deployer-artifact-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("a model's requirements", () => {
  it("are its lines without comments; those of a constraints file ask for nothing", async () => {
    await write(
      "requirements.txt",
      "\ufeffmlflow==3.17.2  # pinned\r\n\n# more\nnumpy\n-c constraints.txt\n",
    );
    await write("constraints.txt", "scipy<2\n");
    const lines = ["mlflow==3.17.2", "numpy", "-c scipy<2"];
    expect(await readRequirements(directory)).toEqual(lines);
    expect(checkedRequirements(lines)).toEqual(lines);
  });

  it("go on behind a backslash", async () => {
    const hash = `--hash=sha256:${"0".repeat(64)}`;
    await write("requirements.txt", `mlflow==3.17.2 \\\n    ${hash} \\\n    ${hash}\nnumpy\n`);
    const lines = await readRequirements(directory);
    expect(lines.map((line) => line.split(/\s+/))).toEqual([["mlflow==3.17.2", hash, hash], ["numpy"]]);
    expect(checkedRequirements(lines)).toEqual(lines);
  });

  it("are required", async () => {
    await expect(readRequirements(directory)).rejects.toThrow(/no requirements\.txt/);
    await write("requirements.txt", "-c constraints.txt\n");
    await expect(readRequirements(directory)).rejects.toThrow(/constraints\.txt that is missing/);
  });

  it.each(["../up.txt", "https://user:secret@example.com/all.txt", "a b", "--pre"])(
    "bound no package by %s",
    (bound) => {
      expect(() => checkedRequirements([`-c ${bound}`])).toThrow(/is an installer option/);
    },
  );
});

describe("a model that has a conda.yaml alone", () => {
  const conda = (...lines: string[]) =>
    write("conda.yaml", ["name: env", "channels: [conda-forge]", "dependencies:", ...lines, ""].join("\n"));

  it("has its packages below pip, and its Python", async () => {
    await conda("- python=3.10.12", "- pip<=24.0", "- pip:", "  - mlflow==1.30.0", "  - scikit-learn==1.1.3");
    expect(await readRequirements(directory)).toEqual(["mlflow==1.30.0", "scikit-learn==1.1.3"]);
    expect(await readPythonVersion(directory)).toBe("3.10.12");
  });

  it("has no Python where it names a range of them", async () => {
    await conda("- python>=3.10", "- pip:", "  - mlflow==1.30.0");
    expect(await readPythonVersion(directory)).toBeNull();
  });

  it("is refused with the packages that only conda has, and the way out", async () => {
    await conda("- python=3.10.12", "- numpy=1.24", "- pip:", "  - mlflow==1.30.0");
    await expect(readRequirements(directory)).rejects.toThrow(
      /names numpy=1\.24 as conda's: list them below pip/,
    );
  });

  it.each(["dependencies: 5", "a: [", "", "- x", "dependencies:\n- pip: mlflow"])(
    "is no environment as %j",
    async (text) => {
      await write("conda.yaml", text);
      await expect(readRequirements(directory)).rejects.toThrow(/no requirements\.txt/);
      expect(await readPythonVersion(directory)).toBeNull();
    },
  );
});
