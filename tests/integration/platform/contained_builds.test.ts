import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { availableIsolation } from "../../../src/platform/containment/containment.ts";
import { scriptPython } from "../../../src/platform/processes/child_environment.ts";
import { listProcesses } from "../../../src/platform/processes/managed_process.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
  hasModelEnvironment,
} from "../../../src/platform/python/python_environment.ts";
import { lockedRequirements } from "../../../src/platform/python/requirements/resolved_requirements.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

const run = promisify(execFile);
const sharedCache = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const isolation = await availableIsolation();
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-builds-"));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  const jobs = join(folder, "environments", "jobs");
  const hasEnded = async () => (await listProcesses(jobs)).length === 0;
  await pollUntil(hasEnded, { deadlineMs: 300_000, what: "end of all jobs" });
  await rm(folder, { recursive: true });
});

/** A package without a wheel, whose setup tries each and keeps what came of it in the package. */
async function packageThatTries(attempts: Record<string, string>): Promise<string> {
  const source = join(folder, "source");
  const links = join(folder, "links");
  await mkdir(join(source, "tries-1.0"), { recursive: true });
  await mkdir(links);
  const setup = `
import json, os, pathlib, socket
came = {}
for name, code in json.loads(${JSON.stringify(JSON.stringify(attempts))}).items():
    try:
        exec(code)
        came[name] = "done"
    except Exception as error:
        came[name] = type(error).__name__
pathlib.Path("tries.py").write_text("came = " + repr(json.dumps(came)))
from setuptools import setup
setup(name="tries", version="1.0", py_modules=["tries"])
`;
  await writeFile(join(source, "tries-1.0", "setup.py"), setup);
  const information = "Metadata-Version: 2.1\nName: tries\nVersion: 1.0\n";
  await writeFile(join(source, "tries-1.0", "PKG-INFO"), information);
  await run("tar", ["-C", source, "-czf", join(links, "tries-1.0.tar.gz"), "tries-1.0"]);
  return links;
}

/** A wheel of one module, as a model ships it. */
async function wheelOfTheModel(): Promise<void> {
  await mkdir(join(folder, "artifact", "wheels"), { recursive: true });
  const path = join(folder, "artifact", "wheels", "mine-1.0-py3-none-any.whl");
  const pack = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    files = {"mine.py": "x = 41\\n", "mine-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: mine\\nVersion: 1.0\\n",
             "mine-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    for name, text in files.items():
        wheel.writestr(name, text)
    wheel.writestr("mine-1.0.dist-info/RECORD", "".join(f"{name},,\\n" for name in [*files, "mine-1.0.dist-info/RECORD"]))
`;
  await run(scriptPython(), ["-c", pack, path]);
}

describe("what a model's requirements lead to", { timeout: 600_000 }, () => {
  it("is locked with hashes, wheels of its own included, and that is what is installed", async () => {
    const { uv } = await ensureToolsEnvironment({ cacheDirectory: sharedCache });
    await wheelOfTheModel();
    const wheels = join(folder, "artifact");
    const requirements = ["joblib", "wheels/mine-1.0-py3-none-any.whl"];
    const asked = { cacheDirectory: folder, uv, requirements, wheels };
    expect(await hasModelEnvironment(asked)).toBe(false);
    const lock = await lockedRequirements(asked);
    expect(lock.builds).toBe(false);
    expect(lock.packages).toMatch(/^joblib==[\d.]+ \\\n +--hash=sha256:/m);
    expect(lock.packages).toMatch(
      /^mine @ file:\/\/\{artifact\}\/wheels\/mine-1\.0-py3-none-any\.whl \\\n +--hash=sha256:/m,
    );
    const { python } = await ensureModelEnvironment({ ...asked, lock });
    expect((await run(python, ["-c", "import mine; print(mine.x)"])).stdout).toBe("41\n");
    expect(await hasModelEnvironment(asked)).toBe(true);
    const other = lock.packages.replace(/(joblib==\S+ \\\n +--hash=sha256:)\w+/, `$1${"0".repeat(64)}`);
    const forged = other.replace(
      /(joblib==\S+ \\\n +--hash=sha256:\w+ \\\n +--hash=sha256:)\w+/,
      `$1${"1".repeat(64)}`,
    );
    const attempt = ensureModelEnvironment({ ...asked, lock: { ...lock, packages: forged } });
    await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    await expect(attempt).rejects.toThrow(/[Hh]ash mismatch/);
  });

  it("names the wheel that is not among the model's files", async () => {
    const { uv } = await ensureToolsEnvironment({ cacheDirectory: sharedCache });
    const requirements = ["wheels/mine-1.0-py3-none-any.whl"];
    const attempt = lockedRequirements({ cacheDirectory: folder, uv, requirements, wheels: folder });
    await expect(attempt).rejects.toThrow(
      /wheels\/mine-1\.0-py3-none-any\.whl, which is not among its files/,
    );
  });
});

describe.skipIf(isolation === "none")("a package that is built", { timeout: 900_000 }, () => {
  it("sees no password, no secret, and nothing of the machine but its own folder and the indexes", async () => {
    const { uv } = await ensureToolsEnvironment({ cacheDirectory: sharedCache });
    const secret = join(folder, "password");
    await writeFile(secret, "secret");
    const links = await packageThatTries({
      "writes beside itself": "pathlib.Path('note').write_text('x')",
      "makes a script executable": "os.chmod('note', 0o755)",
      "has the index's password": "os.environ['UV_INDEX_PRIVATE_PASSWORD']",
      "has the registry's password": "os.environ['MLFLOW_TRACKING_PASSWORD']",
      "has a token": "os.environ['MODEL_DEPLOYER_TOKEN']",
      "reads a secret": `pathlib.Path(${JSON.stringify(secret)}).read_text()`,
      "reads the deployer's variables": `pathlib.Path('/proc/${process.pid}/environ').read_bytes()`,
      "reads its parent's variables": "pathlib.Path(f'/proc/{os.getppid()}/environ').read_bytes()",
      "lists the home": `os.listdir(${JSON.stringify(homedir())})`,
      "writes to the shared cache": `pathlib.Path(${JSON.stringify(join(sharedCache, "left"))}).write_text('x')`,
      "writes to other environments": `pathlib.Path(${JSON.stringify(join(folder, "environments", "left"))}).write_text('x')`,
      "signals the deployer": `os.kill(${process.pid}, 0)`,
      listens: "socket.create_server(('127.0.0.1', 0))",
      "asks a socket": "socket.socket(socket.AF_UNIX)",
    });
    vi.stubEnv("UV_FIND_LINKS", links);
    vi.stubEnv("UV_INDEX_PRIVATE_PASSWORD", "word");
    vi.stubEnv("MLFLOW_TRACKING_PASSWORD", "word");
    vi.stubEnv("MODEL_DEPLOYER_TOKEN", "0123456789abcdef");
    const asked = {
      cacheDirectory: folder,
      uv,
      requirements: ["tries==1.0"],
      containment: { isolation: "required" } as const,
    };
    const lock = await lockedRequirements(asked);
    expect(lock.builds).toBe(true);
    const { python } = await ensureModelEnvironment({ ...asked, lock });
    const { stdout } = await run(python, ["-c", "import tries; print(tries.came)"]);
    const came = z.record(z.string(), z.string()).parse(JSON.parse(stdout));
    const done = Object.keys(came).filter((name) => came[name] === "done");
    expect(done).toEqual(["writes beside itself", "makes a script executable"]);
    await expect(readFile(join(sharedCache, "left"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
