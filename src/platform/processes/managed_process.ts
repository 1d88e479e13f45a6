import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
  ConfigurationError,
  InvalidRequestError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import { diskFull } from "../../agents/model_deployer/file_errors.ts";
import { readTail } from "./bounded_log.ts";
import { childEnvironment, scriptPython } from "./child_environment.ts";
import {
  instanceVariable,
  isLeaderAlive,
  livingMembers,
  readRecord,
  recordedNames,
  type ProcessRecord,
} from "./process_record.ts";
import { readBootIdentity, readProcessTable, type ProcessEntry } from "./process_table.ts";
import { sendSignal } from "./sent_signal.ts";
import { hasCode } from "../system_errors.ts";

export { childEnvironment };

/**
 * Servers that outlive their starter. A name in a run directory has at most one running process, guarded by a file
 * lock that the process itself holds; whoever comes later, in this process or another, finds it there.
 */
export interface ProcessSpec {
  /** Letters, digits, `.`, `_` and `-`; also the name of its files in the run directory. */
  name: string;
  runDirectory: string;
  command: string;
  args: string[];
  /** The whole environment; see `childEnvironment`. */
  env: Record<string, string>;
  /** The run directory, unless given. */
  workingDirectory?: string;
  /** The system user to run as; only root can switch. */
  user?: string;
}

export interface ManagedProcess {
  name: string;
  pid: number;
}

const launcherPath = fileURLToPath(new URL("./launcher.py", import.meta.url));
const LAUNCHER_EXIT_NO_ROOM = 73;
const LAUNCHER_EXIT_TAKEN = 75;
const START_DEADLINE_MS = 15_000;
/** For the remains of a server whose leader died, before the name is started again. */
const REMAINS_GRACE_MS = 2_000;
/** From SIGKILL until a process must be gone; longer only when the kernel can't end it. */
const KILL_DEADLINE_MS = 10_000;

/**
 * Starts the process detached, or adopts the running one of that name whatever its arguments; output goes to
 * `<runDirectory>/<name>.log`, what former runs wrote stays in `<name>.log.1` and so on. Does not wait until it is ready. Remains of an
 * earlier run are ended first.
 *
 * @throws ConfigurationError without a Python for the launcher; ServiceUnavailableError when the command cannot run;
 * DiskFullError when its record or its log cannot be written.
 */
export async function startProcess(spec: ProcessSpec): Promise<ManagedProcess> {
  assertName(spec.name);
  const runDirectory = resolve(spec.runDirectory);
  await mkdir(runDirectory, { recursive: true, mode: 0o700 });
  const deadline = performance.now() + START_DEADLINE_MS;
  while (performance.now() < deadline) {
    const record = await readRecord(runDirectory, spec.name);
    if (record !== null) {
      if (await isLeaderAlive(record)) return { name: spec.name, pid: record.pid };
      await endMembers(spec.name, record, REMAINS_GRACE_MS);
    }
    const pid = await launch({ ...spec, runDirectory });
    if (pid !== null) return { name: spec.name, pid };
    // Another starter holds the lock and is about to write its record.
    await delay(25);
  }
  throw new ServiceUnavailableError(
    spec.name,
    `${spec.name}: ${join(runDirectory, spec.name)}.lock is held by a process that has no record; end that process`,
  );
}

/** The running process of that name; null when it does not run, even if workers of it are left over. */
export async function findProcess(runDirectory: string, name: string): Promise<ManagedProcess | null> {
  assertName(name);
  const record = await readRecord(resolve(runDirectory), name);
  return record !== null && (await isLeaderAlive(record)) ? { name, pid: record.pid } : null;
}

/** All names of which anything still runs: the process itself, or workers that it left behind. */
export async function listProcesses(runDirectory: string): Promise<ManagedProcess[]> {
  const directory = resolve(runDirectory);
  const table = await readProcessTable();
  const found = await Promise.all(
    (await recordedNames(directory)).map(async (name) => {
      const record = await readRecord(directory, name);
      if (record === null) return null;
      const runs = (await isLeaderAlive(record)) || (await livingMembers(record, table)).length > 0;
      return runs ? { name, pid: record.pid } : null;
    }),
  );
  return found.filter((entry) => entry !== null);
}

export interface StopProcessOptions {
  /** Milliseconds from the first signal to SIGKILL. */
  graceMs: number;
  /** Sent to the process alone instead of SIGTERM to all, for servers that end their workers themselves. */
  leaderSignal?: "SIGTERM" | "SIGINT";
}

/**
 * Ends the process and all that it started, workers in groups of their own and orphans included; resolves when they
 * are gone. Idempotent.
 *
 * @throws ServiceUnavailableError when something survives SIGKILL; ServiceRefusedError without the right to signal.
 */
export async function stopProcess(
  runDirectory: string,
  name: string,
  options: StopProcessOptions,
): Promise<void> {
  assertName(name);
  const record = await readRecord(resolve(runDirectory), name);
  if (record !== null) await endMembers(name, record, options.graceMs, options.leaderSignal);
}

/** The last lines of the present run's log, without a trailing newline; empty when nothing was written. */
export async function readLogTail(runDirectory: string, name: string, lines: number): Promise<string> {
  return readTail(logPath(runDirectory, name), lines);
}

export function logPath(runDirectory: string, name: string): string {
  assertName(name);
  return join(resolve(runDirectory), `${name}.log`);
}

/** The new process's pid, or null when the name is taken. */
async function launch(spec: ProcessSpec): Promise<number | null> {
  const python = scriptPython();
  const instance = randomUUID();
  const boot = await readBootIdentity();
  const { name, runDirectory } = spec;
  const place = [runDirectory, name, instance, boot, spec.workingDirectory ?? runDirectory, spec.user ?? ""];
  const child = spawn(python, ["-I", "-S", launcherPath, ...place, spec.command, ...spec.args], {
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...childEnvironment(), ...spec.env, [instanceVariable]: instance },
  });
  return new Promise((resolvePid, reject) => {
    const complaint: Buffer[] = [];
    child.stderr.on("data", (chunk: Buffer) => complaint.push(chunk));
    child.once("error", (cause) => {
      const message = `${python} cannot be started: install Python 3.10 or newer, or set MODEL_DEPLOYER_PYTHON`;
      reject(new ConfigurationError(message, { cause }));
    });
    // The pipe closes at exec, with nothing written, or at the launcher's own end.
    child.stderr.once("close", () => {
      const text = Buffer.concat(complaint).toString("utf8").trim();
      if (text === "" && child.pid !== undefined) {
        child.unref();
        resolvePid(child.pid);
        return;
      }
      const settle = (code: number | null) => {
        if (code === LAUNCHER_EXIT_TAKEN) resolvePid(null);
        else if (code === LAUNCHER_EXIT_NO_ROOM) reject(diskFull(text, {}));
        else reject(new ServiceUnavailableError(name, `${name} cannot be started: ${text}`));
      };
      if (child.exitCode !== null || child.signalCode !== null) settle(child.exitCode);
      else child.once("exit", settle);
    });
  });
}

async function endMembers(
  name: string,
  record: ProcessRecord,
  graceMs: number,
  leaderSignal?: "SIGTERM" | "SIGINT",
): Promise<void> {
  const killAt = performance.now() + graceMs;
  const giveUpAt = killAt + KILL_DEADLINE_MS;
  const told = new Set<number>();
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    const members = await livingMembers(record);
    if (members.length === 0) return;
    const now = performance.now();
    if (now > giveUpAt) throw survived(name, members);
    const leads = leaderSignal !== undefined && members.some((member) => member.pid === record.pid);
    for (const member of members) {
      if (now >= killAt) await signalMember(name, member, "SIGKILL");
      else if (!told.has(member.pid) && (!leads || member.pid === record.pid)) {
        told.add(member.pid);
        await signalMember(name, member, leads ? leaderSignal : "SIGTERM");
      }
    }
    await delay(Math.max(1, Math.min(pauseMs, killAt > now ? killAt - now : pauseMs)));
  }
}

async function signalMember(name: string, member: ProcessEntry, signal: NodeJS.Signals): Promise<void> {
  try {
    await sendSignal(member, signal);
  } catch (cause) {
    if (hasCode(cause, "ESRCH")) return;
    throw new ServiceRefusedError(name, `${name}: process ${member.pid} cannot be sent ${signal}`, { cause });
  }
}

function survived(name: string, members: ProcessEntry[]): ServiceUnavailableError {
  const pids = members.map((member) => member.pid).join(", ");
  return new ServiceUnavailableError(name, `${name}: SIGKILL did not end process ${pids}`);
}

function assertName(name: string): void {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,199}$/.test(name)) return;
  throw new InvalidRequestError(
    `process name ${JSON.stringify(name)}: use letters, digits, ".", "_" and "-", at most 200`,
  );
}
