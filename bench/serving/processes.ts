import { readFile, readdir } from "node:fs/promises";
import { TICKS_PER_SECOND } from "../../src/platform/processes/process_table.ts";

/** Ids of the living processes in whose environment or command line this text stands. */
export async function processesNamed(text: string): Promise<number[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const matches = await Promise.all(
    ids.map(async (id) => {
      const read = (file: string) => readFile(`/proc/${id}/${file}`, "latin1").catch(() => "");
      const texts = await Promise.all([read("environ"), read("cmdline")]);
      return texts.some((told) => told.includes(text));
    }),
  );
  return ids.filter((_, index) => matches[index]).map(Number);
}

/** CPU of the processes in seconds, that of their ended children included. */
export async function cpuSeconds(ids: readonly number[]): Promise<number> {
  const times = ids.map(async (id) => {
    const stat = await readFile(`/proc/${id}/stat`, "latin1").catch(() => "");
    // After the command, which is in parentheses and may hold anything: user, system, and both of ended children.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  });
  return (await Promise.all(times)).reduce((sum, ticks) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** Memory of the processes in MB, what they share counted once. */
export async function sharedOutMegabytes(ids: readonly number[]): Promise<number> {
  const sizes = ids.map(async (id) => {
    const rollup = await readFile(`/proc/${id}/smaps_rollup`, "latin1").catch(() => "");
    return Number(/^Pss: +(\d+) kB/m.exec(rollup)?.[1] ?? 0);
  });
  return (await Promise.all(sizes)).reduce((sum, kilobytes) => sum + kilobytes, 0) / 1024;
}
