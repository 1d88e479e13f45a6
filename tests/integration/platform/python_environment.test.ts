import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { listProcesses } from "../../../src/platform/processes/managed_process.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
  type ToolsEnvironment,
} from "../../../src/platform/python/python_environment.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { lockedRequirements } from "../../../src/platform/python/requirements/resolved_requirements.ts";

const run = promisify(execFile);
const sharedCache = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
let cacheDirectory = "";

beforeEach(async () => {
  cacheDirectory = await mkdtemp(join(tmpdir(), "model-deployer-environments-"));
});

/** The job that has made an environment goes on for a while, to compile what a start imports. */
async function untilNoJobRuns(): Promise<void> {
  const jobs = join(cacheDirectory, "environments", "jobs");
  const hasEnded = async () => (await listProcesses(jobs)).length === 0;
  await pollUntil(hasEnded, { deadlineMs: 300_000, what: "end of all jobs" });
}

afterEach(async () => {
  vi.unstubAllEnvs();
  await untilNoJobRuns();
  await rm(cacheDirectory, { recursive: true });
});

/** A stand-in for an interpreter that answers every call with the same script. */
async function fakePython(script: string): Promise<void> {
  const path = join(cacheDirectory, "python");
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  vi.stubEnv("MODEL_DEPLOYER_PYTHON", path);
}

function described(minor: number, venv = true): string {
  return `echo '{"executable": "/usr/bin/python3", "major": 3, "minor": ${minor}, "version": "3.${minor}.1-cpython-x", "venv": ${venv}}'`;
}

async function expectFailure(attempt: Promise<unknown>, code: string, message: RegExp): Promise<void> {
  await expect(attempt).rejects.toThrow(message);
  await expect(attempt).rejects.toMatchObject({ code });
}

describe("a Python that will not do", () => {
  it("is named when it is missing", async () => {
    vi.stubEnv("MODEL_DEPLOYER_PYTHON", "/nonexistent/python3");
    await expectFailure(
      ensureToolsEnvironment({ cacheDirectory }),
      "configuration",
      /\/nonexistent\/python3 cannot be run: install Python 3\.10/,
    );
  });

  it("is named when it is too old", async () => {
    await fakePython(described(9));
    await expect(ensureToolsEnvironment({ cacheDirectory })).rejects.toThrow(
      /is Python 3\.9\.1-cpython-x: install/,
    );
  });

  it("is named when it cannot make virtual environments", async () => {
    await fakePython(described(11, false));
    await expectFailure(
      ensureToolsEnvironment({ cacheDirectory }),
      "configuration",
      /install its venv module/,
    );
  });
});

describe("the tools environment", () => {
  it("holds programs that run, and is not built again", { timeout: 600_000 }, async () => {
    const tools = await ensureToolsEnvironment({ cacheDirectory: sharedCache });
    expect((await run(tools.uv, ["--version"])).stdout).toContain("0.13.9");
    expect((await run(tools.envoy, ["--version"])).stdout).toContain("1.40.0");
    expect((await run(tools.redisServer, ["--version"])).stdout).toContain("Redis server");
    const lines: string[] = [];
    const again = await ensureToolsEnvironment({
      cacheDirectory: sharedCache,
      onProgress: (line) => lines.push(line),
    });
    expect(again).toEqual(tools);
    expect(lines).toEqual([]);
  });
});

describe("a model's environment", () => {
  let tools: ToolsEnvironment;

  beforeEach(async () => {
    tools = await ensureToolsEnvironment({ cacheDirectory: sharedCache });
  }, 600_000);

  it(
    "is built once for the same requirements, and replaces one that was cut off",
    { timeout: 300_000 },
    async () => {
      const builds: string[] = [];
      const ask = (requirements: string[]) =>
        ensureModelEnvironment({
          cacheDirectory,
          requirements,
          uv: tools.uv,
          onProgress: (line) => builds.push(line),
        });
      const [first, second] = await Promise.all([
        ask(["joblib==1.6.0", "cloudpickle==3.1.2"]),
        ask(["cloudpickle==3.1.2  # for the pickles", "", "joblib==1.6.0"]),
      ]);
      expect(second).toEqual(first);
      expect(builds.join("\n")).toMatch(/cloudpickle==3\.1\.2.*: .*, \d+ s of at most 3600 s/);
      expect(
        (await run(first.python, ["-c", "import bentoml, joblib; print(joblib.__version__)"])).stdout,
      ).toBe("1.6.0\n");

      await untilNoJobRuns();
      const directory = join(first.python, "..", "..");
      await rm(join(directory, "complete.json"));
      await rm(join(directory, "bin", "bentoml"));
      await ask(["joblib==1.6.0", "cloudpickle==3.1.2"]);
      expect(await readdir(join(directory, "bin"))).toContain("bentoml");
    },
  );

  it("that cannot be resolved ends with the installer's reason", { timeout: 120_000 }, async () => {
    const asked = ensureModelEnvironment({
      cacheDirectory,
      requirements: ["joblib==0.0.0.1"],
      uv: tools.uv,
    });
    await expectFailure(asked, "endpoint_creation_failed", /joblib==0\.0\.0\.1/);
  });

  it("has no package that a constraint bounds and nothing needs", { timeout: 300_000 }, async () => {
    const requirements = ["six", "-c six<1.17", "-c lightgbm<5"];
    const { packages } = await lockedRequirements({ cacheDirectory, requirements, uv: tools.uv });
    expect(packages).toMatch(/^six==1\.16\.0 /m);
    expect(packages).not.toMatch(/^lightgbm/m);
  });

  it("takes no installer options from a model", async () => {
    const asked = ensureModelEnvironment({
      cacheDirectory,
      requirements: ["joblib", "--index-url=http://127.0.0.1:1/"],
      uv: tools.uv,
    });
    await expect(asked).rejects.toThrow(/"--index-url=http:\/\/127\.0\.0\.1:1\/" is an installer option/);
    await expect(readdir(join(cacheDirectory, "environments"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
