import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { licencesIn } from "../../../src/platform/python/installed_licences.ts";
import { lockedPackages } from "../../../src/platform/python/requirements/locked_packages.ts";

const [one, two] = ["a".repeat(64), "b".repeat(64)];

test("a lock's packages are read with their versions, addresses and hashes", () => {
  const packages = `# comment
Ruamel_YAML.clib==0.2.12 \\
    --hash=sha256:${one} \\
    --hash=sha256:${two}
uvicorn[standard]==0.40.0 ; python_full_version >= '3.10' \\
    --hash=sha256:${one}
torch==2.9.0+cpu \\
    --hash=sha256:${two}
own-models @ file://{artifact}/wheels/own_models-1.2-py3-none-any.whl --hash=sha256:${one}
file://{artifact}/other_ones-3.0-py3-none-any.whl --hash=sha256:${two}
tool @ git+https://git.example.org/tool@0123456789abcdef
--index-url https://index.example.org/simple
`;
  expect(lockedPackages({ packages })).toEqual([
    { name: "ruamel-yaml-clib", version: "0.2.12", address: null, sha256: [one, two] },
    { name: "uvicorn", version: "0.40.0", address: null, sha256: [one] },
    { name: "torch", version: "2.9.0+cpu", address: null, sha256: [two] },
    {
      name: "own-models",
      version: "1.2",
      address: "wheels/own_models-1.2-py3-none-any.whl",
      sha256: [one],
    },
    { name: "other-ones", version: "3.0", address: "other_ones-3.0-py3-none-any.whl", sha256: [two] },
    {
      name: "tool",
      version: null,
      address: "git+https://git.example.org/tool@0123456789abcdef",
      sha256: [],
    },
  ]);
});

test("licences are what the installed packages say of themselves, and whole texts are left out", async () => {
  const environment = await mkdtemp(join(tmpdir(), "model-deployer-licences-"));
  const metadata = {
    "New_Style-1.0": "Name: New_Style\nLicense-Expression: MIT OR Apache-2.0\nLicense: no",
    "old-1.0": "Name: old\nLicense: BSD 3-Clause\nClassifier: License :: OSI Approved :: BSD License",
    "text-1.0": `Name: text\nLicense: ${"Permission is granted ".repeat(9)}\nClassifier: License :: OSI Approved :: MIT License`,
    "silent-1.0": "Name: silent\nLicense: UNKNOWN\n\nLicense: in its description",
  };
  for (const [name, text] of Object.entries(metadata)) {
    const folder = join(environment, "lib", "python3.11", "site-packages", `${name}.dist-info`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "METADATA"), `Metadata-Version: 2.4\n${text}\n\nName: a description\n`);
  }
  expect(await licencesIn(environment)).toEqual(
    new Map([
      ["new-style", { kind: "expression", text: "MIT OR Apache-2.0" }],
      ["old", { kind: "name", text: "BSD 3-Clause" }],
      ["text", { kind: "name", text: "MIT License" }],
    ]),
  );
  expect(await licencesIn(join(environment, "nowhere"))).toEqual(new Map());
  await rm(environment, { recursive: true });
});
