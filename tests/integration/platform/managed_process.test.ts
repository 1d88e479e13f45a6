import { spawn, execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  childEnvironment,
  findProcess,
  listProcesses,
  readLogTail,
  startProcess,
  stopProcess,
} from "../../../src/platform/processes/managed_process.ts";
import { livingMembers, readRecord } from "../../../src/platform/processes/process_record.ts";
import { readProcess } from "../../../src/platform/processes/process_table.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

const starter = fileURLToPath(new URL("./programs/starter.ts", import.meta.url));
const GRACE_MS = 2_000;
let runDirectory = "";

beforeEach(async () => {
  runDirectory = await mkdtemp(join(tmpdir(), "model-deployer-processes-"));
});

afterEach(async () => {
  for (const { name } of await listProcesses(runDirectory))
    await stopProcess(runDirectory, name, { graceMs: 0 });
  await rm(runDirectory, { recursive: true });
});

function shell(name: string, script: string) {
  return { name, runDirectory, command: "/bin/sh", args: ["-c", script], env: childEnvironment() };
}

async function isRunning(pid: number): Promise<boolean> {
  return (await readProcess(pid)) !== null;
}

async function loggedPid(name: string): Promise<number> {
  return pollUntil(async () => Number(await readLogTail(runDirectory, name, 1)) || null, {
    deadlineMs: 120_000,
    what: `pid in the log of ${name}`,
  });
}

/** Runs a starter that is killed from within the start; resolves when it is dead. */
async function startAndDie(name: string, script: string, python = "python3"): Promise<NodeJS.Signals | null> {
  const child = spawn(process.execPath, [starter, runDirectory, name, "/bin/sh", "-c", script], {
    env: { ...process.env, MODEL_DEPLOYER_PYTHON: python },
    stdio: "ignore",
  });
  await once(child, "exit");
  return child.signalCode;
}

describe("starting", () => {
  it("runs the command with exactly the given environment, and keeps its output", async () => {
    await startProcess({
      ...shell("echo", "echo $GREETING $SECRET; exec sleep 600"),
      env: { GREETING: "hello" },
    });
    const line = await pollUntil(async () => (await readLogTail(runDirectory, "echo", 1)) || null, {
      deadlineMs: 120_000,
      what: "output",
    });
    expect(line).toBe("hello");
  });

  it("adopts the running process of the same name", async () => {
    const first = await startProcess(shell("server", "exec sleep 600"));
    const second = await startProcess(shell("server", "exec sleep 601"));
    expect(second).toEqual(first);
    expect(await findProcess(runDirectory, "server")).toEqual(first);
  });

  it("starts one process when many start it at once", async () => {
    const inside = Array.from({ length: 4 }, () => startProcess(shell("server", "exec sleep 600")));
    const outside = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, [starter, runDirectory, "server", "/bin/sleep", "600"]),
    );
    const pids = [
      ...(await Promise.all(inside)).map((started) => started.pid),
      ...(await Promise.all(outside)).map((answer) => Number(answer.stdout)),
    ];
    expect(new Set(pids).size).toBe(1);
    expect(await listProcesses(runDirectory)).toHaveLength(1);
  });

  it("starts again after the process has ended, and sets the earlier log aside", async () => {
    const first = await startProcess(shell("server", "echo first"));
    await pollUntil(async () => (await findProcess(runDirectory, "server")) === null, {
      deadlineMs: 120_000,
      what: "end of the first run",
    });
    const second = await startProcess(shell("server", "echo second; exec sleep 600"));
    expect(second.pid).not.toBe(first.pid);
    await pollUntil(async () => (await readLogTail(runDirectory, "server", 5)) === "second", {
      deadlineMs: 120_000,
      what: "second log",
    });
    expect(await readFile(join(runDirectory, "server.log.1"), "utf8")).toBe("first\n");
  });

  it("names the command that cannot be executed, and leaves nothing", async () => {
    const spec = { ...shell("server", ""), command: "/nonexistent/server" };
    await expect(startProcess(spec)).rejects.toThrow(/cannot execute \/nonexistent\/server: No such file/);
    expect(await listProcesses(runDirectory)).toEqual([]);
  });

  it.each(["../up", "", "a/b", ".hidden", "new\nline"])("refuses the name %j", async (name) => {
    await expect(startProcess({ ...shell("x", ""), name })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
});

describe("a starter that is killed", () => {
  it("before the record is written leaves a process that is found and adopted", async () => {
    const python = join(runDirectory, "python");
    await writeFile(python, '#!/bin/sh\nkill -9 $PPID\nexec python3 "$@"\n');
    await chmod(python, 0o755);
    expect(await startAndDie("server", "exec sleep 600", python)).toBe("SIGKILL");
    const found = await pollUntil(() => findProcess(runDirectory, "server"), {
      deadlineMs: 120_000,
      what: "process without a starter",
    });
    expect(await startProcess(shell("server", "exec sleep 600"))).toEqual(found);
  });

  it("after the record is written leaves a process that is found and stopped", async () => {
    expect(await startAndDie("server", "kill -9 $PPID; exec sleep 600")).toBe("SIGKILL");
    const found = await findProcess(runDirectory, "server");
    expect(await listProcesses(runDirectory)).toEqual([found]);
    await stopProcess(runDirectory, "server", { graceMs: GRACE_MS });
    expect(found !== null && (await isRunning(found.pid))).toBe(false);
  });
});

describe("stopping", () => {
  it("ends the process with SIGTERM, and does nothing the second time", async () => {
    const { pid } = await startProcess(shell("server", "exec sleep 600"));
    await stopProcess(runDirectory, "server", { graceMs: 60_000 });
    expect(await isRunning(pid)).toBe(false);
    await stopProcess(runDirectory, "server", { graceMs: 60_000 });
    await stopProcess(runDirectory, "never-started", { graceMs: 60_000 });
    expect(await listProcesses(runDirectory)).toEqual([]);
  });

  it("kills what ignores SIGTERM", async () => {
    const { pid } = await startProcess(
      shell("server", "trap '' TERM; echo ready; while :; do sleep 0.1; done"),
    );
    await pollUntil(async () => (await readLogTail(runDirectory, "server", 1)) === "ready", {
      deadlineMs: 120_000,
      what: "trap",
    });
    await stopProcess(runDirectory, "server", { graceMs: 100 });
    expect(await isRunning(pid)).toBe(false);
  });

  it("sends the leader's signal to the leader alone", async () => {
    await startProcess(
      shell(
        "server",
        "sh -c \"trap 'echo worker told' TERM INT; while :; do sleep 0.1; done\" & worker=$!; " +
          "trap 'echo leader told; kill -9 $worker; exit' INT; echo ready; while :; do sleep 0.1; done",
      ),
    );
    await pollUntil(async () => (await readLogTail(runDirectory, "server", 1)) === "ready", {
      deadlineMs: 120_000,
      what: "traps",
    });
    await stopProcess(runDirectory, "server", { graceMs: 60_000, leaderSignal: "SIGINT" });
    expect(await readLogTail(runDirectory, "server", 9)).toBe("ready\nleader told");
  });

  it("ends workers in sessions of their own after the leader was killed, and lists them until then", async () => {
    const { pid } = await startProcess(
      shell("server", "setsid sh -c 'echo $$; exec sleep 600' & sleep 600 & wait"),
    );
    const worker = await loggedPid("server");
    process.kill(pid, "SIGKILL");
    await pollUntil(async () => (await findProcess(runDirectory, "server")) === null, {
      deadlineMs: 120_000,
      what: "end of the leader",
    });
    expect(await isRunning(worker)).toBe(true);
    expect(await listProcesses(runDirectory)).toEqual([{ name: "server", pid }]);
    await stopProcess(runDirectory, "server", { graceMs: GRACE_MS });
    expect(await isRunning(worker)).toBe(false);
    expect(await listProcesses(runDirectory)).toEqual([]);
  });

  it("ends orphans of the earlier run before it starts anew", async () => {
    const first = await startProcess(shell("server", "setsid sh -c 'echo $$; exec sleep 600' & wait"));
    const worker = await loggedPid("server");
    process.kill(first.pid, "SIGKILL");
    const second = await pollUntil(
      async () => {
        const started = await startProcess(shell("server", "exec sleep 600"));
        return started.pid !== first.pid && started;
      },
      { deadlineMs: 120_000, what: "second run" },
    );
    expect(await isRunning(worker)).toBe(false);
    expect(await listProcesses(runDirectory)).toEqual([second]);
  });
});

describe("a pid that was used again", () => {
  it.each(["start_time", "boot"] as const)("is not taken for the server: %s differs", async (field) => {
    const bystander = spawn("/bin/sleep", ["600"], { detached: true, stdio: "ignore" });
    try {
      await startProcess(shell("server", "exec sleep 600"));
      const record = await readRecord(runDirectory, "server");
      await stopProcess(runDirectory, "server", { graceMs: GRACE_MS });
      const stale = { ...record, pid: bystander.pid, [field]: "another" };
      await writeFile(join(runDirectory, "server.pid"), JSON.stringify(stale));
      expect(await findProcess(runDirectory, "server")).toBeNull();
      await stopProcess(runDirectory, "server", { graceMs: GRACE_MS });
      expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    } finally {
      bystander.kill("SIGKILL");
    }
  });
});

it("knows its members by the instance when they left the group", async () => {
  await startProcess(shell("server", "setsid sh -c 'echo $$; exec sleep 600' & wait"));
  const worker = await loggedPid("server");
  const record = await readRecord(runDirectory, "server");
  expect(record).not.toBeNull();
  if (record !== null) expect((await livingMembers(record)).map((member) => member.pid)).toContain(worker);
});
