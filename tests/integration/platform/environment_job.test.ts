import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { listProcesses, stopProcess } from "../../../src/platform/processes/managed_process.ts";
import { ensureModelEnvironment } from "../../../src/platform/python/python_environment.ts";
import { listProgress } from "../../../src/platform/work/work_progress.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

const asker = fileURLToPath(new URL("./programs/environment_asker.ts", import.meta.url));
let directory = "";
let askers: ChildProcess[] = [];

beforeEach(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "model-deployer-job-")));
  askers = [];
});

afterEach(async () => {
  for (const child of askers) child.kill("SIGKILL");
  for (const { name } of await listProcesses(jobs())) await stopProcess(jobs(), name, { graceMs: 0 });
  await rm(directory, { recursive: true, maxRetries: 3 });
});

const jobs = () => join(directory, "environments", "jobs");

/** A `uv` whose `venv` makes a folder with a Python, and whose `pip install` notes its start and runs the script. */
async function fakeUv(...install: string[]): Promise<string> {
  const uv = join(directory, "uv");
  const lines = [
    "#!/bin/sh",
    `cd ${directory}`,
    'if [ "$1" = venv ]; then',
    '  for last; do :; done; mkdir -p "$last/bin"; ln -s "$(command -v python3)" "$last/bin/python"; exit 0',
    "fi",
    // What is to be resolved is not what these tests are about.
    'if [ "$2" = compile ]; then for last; do :; done; cp "$3" "$last"; exit 0; fi',
    "nice >> starts",
    ...install,
  ];
  await writeFile(uv, `${lines.join("\n")}\n`);
  await chmod(uv, 0o755);
  return uv;
}

const untilTold = "while [ ! -e go ]; do sleep 0.05; done";
const tell = () => writeFile(join(directory, "go"), "");
const startsOf = async () => {
  const text = await readFile(join(directory, "starts"), "utf8").catch(() => "");
  return text.split("\n").filter((line) => line !== "");
};
const begun = () => until(async () => (await startsOf()).length > 0 || null, "the installer begins");
const underWay = () => listProgress(join(directory, "environments"));

function ask(uv: string, more: { signal?: AbortSignal; limitSeconds?: number } = {}) {
  return ensureModelEnvironment({ cacheDirectory: directory, requirements: ["joblib"], uv, ...more });
}

function askElsewhere(uv: string): { child: ChildProcess; answer: Promise<string> } {
  const child = spawn(process.execPath, [asker, directory, uv], { stdio: ["ignore", "pipe", "inherit"] });
  askers.push(child);
  let said = "";
  child.stdout.on("data", (piece: Buffer) => (said += piece.toString()));
  return { child, answer: once(child, "close").then(() => said) };
}

describe("an environment that takes long", { timeout: 300_000 }, () => {
  it("goes on when its asker is cut off, and says how far it was", async () => {
    const uv = await fakeUv('echo "Resolved 123 packages in 1s"', untilTold);
    const cut = new AbortController();
    const first = ask(uv, { signal: cut.signal });
    await until(async () => (await underWay()).some(isFetching) || null, "the packages are counted");
    cut.abort();
    await expect(first).rejects.toMatchObject({ code: "service_unavailable" });
    await expect(first).rejects.toThrow(/fetching 123 packages, \d+ s of at most 3600 s.*goes on/);
    await tell();
    await ask(uv);
    expect(await startsOf()).toHaveLength(1);
    expect(await underWay()).toEqual([]);
  });

  it("is made once for two processes, and for whoever comes after one of them was killed", async () => {
    const uv = await fakeUv(untilTold);
    const [killed, other] = [askElsewhere(uv), askElsewhere(uv)];
    await begun();
    killed.child.kill("SIGKILL");
    await killed.answer;
    const own = ask(uv);
    await tell();
    expect(await other.answer).toBe((await own).python);
    expect(await startsOf()).toHaveLength(1);
  });

  it("is begun again where the machine ended it, and what is half made is not served", async () => {
    const uv = await fakeUv(untilTold);
    const asked = ask(uv);
    await begun();
    const [job] = await listProcesses(jobs());
    const half = join(directory, "environments", String(job?.name), "half");
    await writeFile(half, "");
    await stopProcess(jobs(), String(job?.name), { graceMs: 0 });
    await until(async () => (await startsOf()).length > 1 || null, "the installer begins again");
    await tell();
    const { python } = await asked;
    await expect(readFile(half)).rejects.toMatchObject({ code: "ENOENT" });
    await expect(readFile(join(dirname(python), "..", "complete.json"))).resolves.toBeDefined();
  });

  it("is installed at a low priority", async () => {
    await ask(await fakeUv());
    expect(Number((await startsOf())[0])).toBeGreaterThanOrEqual(5);
  });

  it("ends at its own limit, names the setting, and leaves no installer behind", async () => {
    const uv = await fakeUv('echo "Resolved 3 packages in 1s"', "echo $$ > installer", "sleep 600");
    const asked = ask(uv, { limitSeconds: 1 });
    await expect(asked).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    await expect(asked).rejects.toThrow(
      /MODEL_DEPLOYER_ENVIRONMENT_SECONDS=1; raise it.*Resolved 3 packages/s,
    );
    const pid = Number(await readFile(join(directory, "installer"), "utf8"));
    await until(async () => hasEnded(pid) || null, "the installer is gone");
  });

  it("is told at once what no waiting mends", async () => {
    const uv = await fakeUv('echo "there is no version of joblib==9"', "exit 1");
    await expect(ask(uv)).rejects.toThrow(/there is no version of joblib==9/);
    expect(await startsOf()).toHaveLength(1);
  });

  it("is tried again when the index does not answer", async () => {
    const uv = await fakeUv('[ -e go ] || { touch go; echo "error sending request for url"; exit 1; }');
    await ask(uv);
    expect(await startsOf()).toHaveLength(2);
  });
});

const until = <T>(look: () => T | Promise<T>, what: string) => pollUntil(look, { deadlineMs: 240_000, what });

const isFetching = ({ doing }: { doing: string }) => doing.startsWith("fetching 123");

function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}
