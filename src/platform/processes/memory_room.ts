import { resolve } from "node:path";
import { isLeaderAlive, readRecord } from "./process_record.ts";
import { type ProcessEntry, readProcessAge, readProcessTable, TICKS_PER_SECOND } from "./process_table.ts";
import { textOfSystemFile } from "./system_files.ts";

/** Linux's files on the memory of the machine, and of the control group that limits this process. */
const MACHINE = "/proc/meminfo";
const GROUP = "/sys/fs/cgroup";

/** Bytes that new processes can use without anything being swapped or killed; null where the system does not say. */
export async function freeMemory(): Promise<number | null> {
  const available = kilobytesOf(await textOfSystemFile(MACHINE), "MemAvailable");
  if (available === null) return null;
  const inGroup = await freeInGroup();
  return inGroup === null ? available : Math.min(available, inGroup);
}

/** Resident bytes of a process and its descendants, shared memory counted once; 0 where none runs. */
export async function residentMemory(runDirectory: string, name: string): Promise<number> {
  return (await processUsage(runDirectory, name))?.memory_bytes ?? 0;
}

export interface ProcessUsage {
  /** Resident, of the process and its descendants, shared memory counted once. */
  memory_bytes: number;
  /** Of the same, and of children that have ended, since the process was started. */
  cpu_seconds: number;
  /** Differs after each start. */
  run: string;
  /** Since the process was started. */
  age_seconds: number;
}

/** Null where none runs. */
export async function processUsage(runDirectory: string, name: string): Promise<ProcessUsage | null> {
  const record = await readRecord(resolve(runDirectory), name);
  if (record === null || !(await isLeaderAlive(record))) return null;
  const members = groupOf(record.pid, await readProcessTable());
  const each = await Promise.all(
    members.map(async ({ pid }) => ({ bytes: await heldBy(pid), seconds: await cpuSecondsOf(pid) })),
  );
  return {
    memory_bytes: each.reduce((sum, { bytes }) => sum + bytes, 0),
    cpu_seconds: each.reduce((sum, { seconds }) => sum + seconds, 0),
    run: record.instance,
    age_seconds: (await readProcessAge(record.pid)) ?? 0,
  };
}

/** Of the process and its descendants; none where it does not run. */
export async function processIds(runDirectory: string, name: string): Promise<number[]> {
  const record = await readRecord(resolve(runDirectory), name);
  if (record === null || !(await isLeaderAlive(record))) return [];
  return groupOf(record.pid, await readProcessTable()).map(({ pid }) => pid);
}

/** The process with its group and their children: cheaper to find than whatever else it may have left somewhere. */
function groupOf(leader: number, table: readonly ProcessEntry[]): ProcessEntry[] {
  const found = new Set(
    table.filter(({ pid, group }) => pid === leader || group === leader).map(({ pid }) => pid),
  );
  for (let size = -1; size !== found.size;) {
    size = found.size;
    for (const { pid, parent } of table) if (found.has(parent)) found.add(pid);
  }
  return table.filter(({ pid }) => found.has(pid));
}

async function heldBy(pid: number): Promise<number> {
  const shared = kilobytesOf(await textOfSystemFile(`/proc/${pid}/smaps_rollup`), "Pss");
  return shared ?? kilobytesOf(await textOfSystemFile(`/proc/${pid}/status`), "VmRSS") ?? 0;
}

/** `utime`, `stime`, and those of children that were waited for: fields 14 to 17 of proc(5); 0 for one that has ended. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await textOfSystemFile(`/proc/${pid}/stat`);
  if (stat === null) return 0;
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
}

/** Null without a limit. Cached files count as free, since the kernel gives them back on demand. */
async function freeInGroup(): Promise<number | null> {
  const [limit, held, kept] = await Promise.all(
    ["memory.max", "memory.current", "memory.stat"].map((file) => textOfSystemFile(`${GROUP}/${file}`)),
  );
  const [most, now] = [limit, held].map((text) => (/^\d+\s*$/.test(text ?? "") ? Number(text) : null));
  if (most === null || most === undefined || now === null || now === undefined) return null;
  return most - now + Number(/^inactive_file (\d+)$/m.exec(kept ?? "")?.[1] ?? 0);
}

function kilobytesOf(text: string | null, field: string): number | null {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text ?? "")?.[1];
  return found === undefined ? null : Number(found) * 1024;
}
