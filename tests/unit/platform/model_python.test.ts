import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { fetchPython, findPython } from "../../../src/platform/python/model_python.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "pythons-"));
  vi.stubEnv("PATH", `${join(folder, "bin")}:/usr/bin:/bin`);
  vi.stubEnv("PYENV_ROOT", join(folder, "pyenv"));
  vi.stubEnv("UV_PYTHON_INSTALL_DIR", join(folder, "uv"));
  vi.stubEnv("UV_PYTHON_DOWNLOADS", undefined);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function program(path: string, script: string): Promise<string> {
  const full = join(folder, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, `#!/bin/sh\n${script}\n`);
  await chmod(full, 0o755);
  return full;
}

/** Tells of itself what an interpreter of this version tells. */
function interpreter(path: string, version: string): Promise<string> {
  const [major = "", minor = ""] = version.split(".");
  const told = { executable: join(folder, path), major: Number(major), minor: Number(minor), venv: true };
  return program(path, `echo '${JSON.stringify({ ...told, version: `${version}-cpython-x86_64` })}'`);
}

describe("the Python that a model was logged under", () => {
  test("is found behind a shim that has no such version", async () => {
    await program("bin/python3.31", "echo 'command not found' >&2; exit 127");
    const right = await interpreter("pyenv/versions/3.31.4/bin/python3.31", "3.31.4");
    expect(await findPython("3.31.1")).toEqual({
      executable: right,
      version: "3.31.4-cpython-x86_64",
    });
  });

  test("is the very version where there are several, else the newest of the same minor one", async () => {
    for (const version of ["3.32.2", "3.32.10", "3.32.9"]) {
      await interpreter(`pyenv/versions/${version}/bin/python3.32`, version);
    }
    const found = async (version: string) => (await findPython(version))?.version;
    expect(await found("3.32.9")).toBe("3.32.9-cpython-x86_64");
    expect(await found("3.32.1")).toBe("3.32.10-cpython-x86_64");
  });

  test("is one that uv has brought before", async () => {
    const brought = await interpreter("uv/cpython-3.33.0-linux-x86_64-gnu/bin/python3.33", "3.33.0");
    expect((await findPython("3.33.0"))?.executable).toBe(brought);
  });

  test("is fetched by uv, unless that is forbidden", async () => {
    const place = "uv/cpython-3.34.0-linux-x86_64-gnu/bin";
    await interpreter("fetched", "3.34.0");
    const uv = await program(
      "uv.sh",
      `mkdir -p ${folder}/${place} && cp ${folder}/fetched ${folder}/${place}/python3.34`,
    );
    vi.stubEnv("UV_PYTHON_DOWNLOADS", "never");
    expect(await fetchPython("3.34.0", uv)).toBeNull();
    vi.stubEnv("UV_PYTHON_DOWNLOADS", "automatic");
    expect((await fetchPython("3.34.0", uv))?.version).toBe("3.34.0-cpython-x86_64");
  });

  test("is none where nothing has it and uv cannot get it", async () => {
    expect(await findPython("3.35.0")).toBeNull();
    expect(await fetchPython("3.35.0", await program("uv.sh", "exit 1"))).toBeNull();
  });
});
