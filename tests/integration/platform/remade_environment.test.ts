import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { listProcesses } from "../../../src/platform/processes/managed_process.ts";
import { broughtPython, findPython, modelPython } from "../../../src/platform/python/model_python.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../../src/platform/python/python_environment.ts";
import { lockedRequirements } from "../../../src/platform/python/requirements/resolved_requirements.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

const run = promisify(execFile);
const sharedCache = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
let scratch = "";
let uv = "";

beforeEach(async () => {
  uv = (await ensureToolsEnvironment({ cacheDirectory: sharedCache })).uv;
  scratch = await mkdtemp(join(tmpdir(), "model-deployer-remade-"));
}, 20 * 60_000);

afterEach(async () => {
  vi.unstubAllEnvs();
  await untilNoJobRuns();
  await rm(scratch, { recursive: true });
}, 10 * 60_000);

/** The job that has made an environment goes on for a while: it compiles, and keeps the wheels. */
async function untilNoJobRuns(): Promise<void> {
  for (const cache of ["first", "second"]) {
    const jobs = join(scratch, cache, "environments", "jobs");
    const hasEnded = async () => (await listProcesses(jobs)).length === 0;
    await pollUntil(hasEnded, { deadlineMs: 600_000, what: "end of all jobs" });
  }
}

const asked = (cache: string) => ({
  cacheDirectory: join(scratch, cache),
  requirements: ["joblib==1.6.0"],
  uv,
  usedBy: scratch,
});

/** Nothing is to be had: neither from an index nor from what the installer has kept. */
function withoutPackages(): void {
  vi.stubEnv("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple");
  vi.stubEnv("UV_INDEX", "");
  vi.stubEnv("PIP_FIND_LINKS", undefined);
  vi.stubEnv("UV_CACHE_DIR", join(scratch, "empty"));
  vi.stubEnv("UV_HTTP_RETRIES", "0");
}

it(
  "is made again from the wheels that were kept, where its cache is lost and no index answers",
  { timeout: 20 * 60_000 },
  async () => {
    const lock = await lockedRequirements(asked("first"));
    const first = await ensureModelEnvironment({ ...asked("first"), lock });
    await untilNoJobRuns();
    const kept = await readdir(join(scratch, "wheels"));
    expect(kept.filter((name) => name.startsWith("joblib-1.6.0"))).toHaveLength(1);
    await rm(join(scratch, "first"), { recursive: true });

    withoutPackages();
    const second = await ensureModelEnvironment({ ...asked("second"), lock });
    const version = ["-c", "import bentoml, joblib; print(joblib.__version__)"];
    expect((await run(second.python, version)).stdout).toBe("1.6.0\n");
    expect(await readdir(dirname(second.bentoml))).toContain("bentoml");
    expect(second.python).not.toBe(first.python);
  },
);

it("is made from the index where a wheel that was kept is damaged", { timeout: 20 * 60_000 }, async () => {
  const lock = await lockedRequirements(asked("first"));
  await ensureModelEnvironment({ ...asked("first"), lock });
  await untilNoJobRuns();
  const folder = join(scratch, "wheels");
  const [joblib = ""] = (await readdir(folder)).filter((name) => name.startsWith("joblib-"));
  const whole = await readFile(join(folder, joblib));
  await rm(join(folder, joblib));
  await writeFile(join(folder, joblib), "no archive");
  const { python } = await ensureModelEnvironment({ ...asked("second"), lock });
  expect((await run(python, ["-c", "import joblib; print(joblib.__version__)"])).stdout).toBe("1.6.0\n");
  await untilNoJobRuns();
  expect((await readFile(join(folder, joblib))).equals(whole)).toBe(true);
});

it("is made of no wheel whose hash is another than was noted", { timeout: 20 * 60_000 }, async () => {
  const lock = await lockedRequirements(asked("first"));
  await ensureModelEnvironment({ ...asked("first"), lock });
  await untilNoJobRuns();
  const folder = join(scratch, "wheels");
  const [list = ""] = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const noted = await readFile(join(folder, list), "utf8");
  await rm(join(folder, list));
  await writeFile(join(folder, list), noted.replace(/("joblib-[^}]*"sha256": ")\w+/, `$1${"0".repeat(64)}`));
  withoutPackages();
  const attempt = ensureModelEnvironment({ ...asked("second"), lock });
  await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
});

const others = ["3.10.0", "3.11.0", "3.12.0", "3.13.0"];

it(
  "runs on the Python that the model was logged under, where the machine has it",
  { timeout: 20 * 60_000 },
  async ({ skip }) => {
    const own = (await modelPython(null)).version.split(".").slice(0, 2).join(".");
    const candidates = others.filter((version) => !version.startsWith(`${own}.`));
    const found = await Promise.all(candidates.map((version) => findPython(version)));
    const other = found.find((one) => one !== null);
    if (other === null || other === undefined) return skip("this machine has one Python only");
    const loggedUnder = other.version.split("-")[0] ?? "";
    const wanted = await broughtPython(loggedUnder, { uv });
    const { python } = await ensureModelEnvironment({ ...asked("first"), python: wanted });
    const told = await run(python, [
      "-c",
      "import bentoml, joblib, platform; print(platform.python_version())",
    ]);
    expect(told.stdout).toBe(`${loggedUnder}\n`);
  },
);

it("says so where no such Python is to be had, and takes the installation's own", async () => {
  vi.stubEnv("UV_PYTHON_DOWNLOADS", "never");
  const said: string[] = [];
  const found = await broughtPython("3.99.1", { uv, onProgress: (line) => said.push(line) });
  const own = await modelPython(null);
  expect(found).toEqual(own);
  expect(said).toContain(
    `no Python 3.99 is to be had: the model is served with ${own.version.split("-")[0] ?? ""}`,
  );
});
