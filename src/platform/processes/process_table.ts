import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { textOfSystemFile } from "./system_files.ts";

/**
 * One process as the operating system lists it. `start_time` can only be compared for equality: it tells a reused pid
 * apart.
 */
export interface ProcessEntry {
  pid: number;
  parent: number;
  group: number;
  start_time: string;
}

const run = promisify(execFile);
const hasProc = process.platform === "linux";
/** USER_HZ, the unit in which Linux reports times of processes, whatever the kernel's own clock rate is. */
export const TICKS_PER_SECOND = 100;

/**
 * Identifies the boot, and in a container the start of its first process; pids of another boot say nothing about this
 * one.
 */
export async function readBootIdentity(): Promise<string> {
  if (!hasProc) return (await run("sysctl", ["-n", "kern.boottime"], { timeout: 5000 })).stdout.trim();
  const bootId = await textOfSystemFile("/proc/sys/kernel/random/boot_id");
  const first = await readProcEntry(1);
  return `${bootId?.trim() ?? ""}/${first?.start_time ?? ""}`;
}

/** The living process of this pid; null when there is none, or when it is only waiting to be reaped. */
export async function readProcess(pid: number): Promise<ProcessEntry | null> {
  if (hasProc) return readProcEntry(pid);
  return (await readPs(["-p", String(pid)])).at(0) ?? null;
}

/** All living processes. */
export async function readProcessTable(): Promise<ProcessEntry[]> {
  if (!hasProc) return readPs(["-ax"]);
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
  const entries = await Promise.all(pids.map((pid) => readProcEntry(pid)));
  return entries.filter((entry) => entry !== null);
}

/** Whether the process was started with `NAME=value` in its environment. False where that can't be read. */
export async function hasEnvironment(pid: number, assignment: string): Promise<boolean> {
  if (hasProc) {
    const environment = await textOfSystemFile(`/proc/${pid}/environ`);
    return environment !== null && environment.split("\0").includes(assignment);
  }
  const listing = await psOutput(["-Eww", "-o", "command=", "-p", String(pid)]);
  return listing.split(/\s+/).includes(assignment);
}

/**
 * Seconds since a process was started, by the machine's uptime, which setting the clock does not move. Null when it has
 * ended.
 */
export async function readProcessAge(pid: number): Promise<number | null> {
  if (!hasProc) return secondsOfElapsed((await psOutput(["-o", "etime=", "-p", String(pid)])).trim());
  const [entry, uptime] = await Promise.all([readProcEntry(pid), textOfSystemFile("/proc/uptime")]);
  if (entry === null || uptime === null) return null;
  return Math.max(0, Number(uptime.split(" ")[0]) - Number(entry.start_time) / TICKS_PER_SECOND);
}

/** `ps` writes `[[days-]hours:]minutes:seconds`. */
function secondsOfElapsed(text: string): number | null {
  const [, days = 0, hours = 0, minutes = 0, seconds = 0] =
    /^(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+)$/
      .exec(text)
      ?.map(Number)
      .map((part) => part || 0) ?? [];
  return text === "" ? null : ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
}

async function readProcEntry(pid: number): Promise<ProcessEntry | null> {
  const stat = await textOfSystemFile(`/proc/${pid}/stat`);
  if (stat === null) return null;
  // The command's name is in parentheses and may contain any character, so the fields count from the last one.
  const [state, parent, group, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const startTime = rest[16];
  if (state === "Z" || state === "X" || startTime === undefined) return null;
  return { pid, parent: Number(parent), group: Number(group), start_time: startTime };
}

async function readPs(selection: string[]): Promise<ProcessEntry[]> {
  const listing = await psOutput([...selection, "-o", "pid=,ppid=,pgid=,stat=,lstart="]);
  return listing.split("\n").flatMap((line) => {
    const [pid, parent, group, state, ...startTime] = line.trim().split(/\s+/);
    if (state === undefined || state.startsWith("Z")) return [];
    return [
      { pid: Number(pid), parent: Number(parent), group: Number(group), start_time: startTime.join(" ") },
    ];
  });
}

/** `ps` exits with 1 when it finds nothing, which is an answer. */
async function psOutput(args: string[]): Promise<string> {
  const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C" };
  return run("ps", args, { env: environment, timeout: 5000, maxBuffer: 16 * 1024 * 1024 }).then(
    (answer) => answer.stdout,
    () => "",
  );
}
