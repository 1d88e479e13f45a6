import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { glob, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { TIED_VARIABLE } from "../child_environment.ts";
import { listProcesses, stopProcess } from "../managed_process.ts";
import { withDescendants } from "../process_record.ts";
import { hasEnvironment, type ProcessEntry, readProcessTable } from "../process_table.ts";
import { sendSignal } from "../sent_signal.ts";

const GRACE_MS = 5000;
/** From the first signal to SIGKILL, for what is known by its environment alone. */
const MARKED_GRACE_MS = 2000;
/** By then a process that was being started when its owner was killed has begun, on most machines. */
const LATE_MS = 500;
/** Nobody else ends what is left: a part that could not be read or ended at once is tried again so often. */
const TRIES = 60;
/** Where no program of ours has its records, and there may be very many files. */
const WITHOUT_RECORDS = new Set(["node_modules", "site-packages", "data", "mlflow-artifacts"]);

/**
 * Ends everything that runs under a folder, known by a record that lies there or by the folder's name in the variable
 * that ties, with all that it started, and removes the folder. For folders that go with their owner.
 */
export async function endFolder(folder: string): Promise<void> {
  let path = resolve(folder);
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      const found = (await endRecorded(path)) + (await endMarked(folder));
      await unmountBelow(path);
      path = await setAside(path, folder);
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
      await delay(LATE_MS);
      // A program that started late makes the folder anew; it is ended, too.
      if (found === 0 && !existsSync(path) && !existsSync(folder)) return;
      if (existsSync(folder)) path = resolve(folder);
    } catch (error) {
      process.stderr.write(`${folder} is not ended yet: ${String(error)}\n`);
      await delay(LATE_MS);
    }
  }
}

/** Whatever was about to write its record here fails, and whatever has written it is found where the folder is now. */
async function setAside(path: string, folder: string): Promise<string> {
  if (path !== resolve(folder) || !existsSync(path)) return path;
  const aside = `${path}.ended`;
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return path;
  await endRecorded(aside);
  return aside;
}

/** @returns how many there were */
async function endRecorded(folder: string): Promise<number> {
  const directories = new Set<string>();
  const exclude = (name: string) => WITHOUT_RECORDS.has(basename(name));
  for await (const record of glob("**/*.pid", { cwd: folder, exclude })) {
    directories.add(dirname(join(folder, record)));
  }
  const ended = [...directories].map(async (directory) => {
    // Files of that name which are none of ours.
    const running = await listProcesses(directory).catch(() => []);
    await Promise.all(
      running.map(({ name }) =>
        // It waits for its clients otherwise.
        stopProcess(directory, name, {
          graceMs: GRACE_MS,
          ...(name === "postgres" ? { leaderSignal: "SIGINT" } : {}),
        }),
      ),
    );
    return running.length;
  });
  return (await Promise.all(ended)).reduce((sum, count) => sum + count, 0);
}

/** @returns how many there were */
async function endMarked(folder: string): Promise<number> {
  const killAt = performance.now() + MARKED_GRACE_MS;
  const told = new Set<number>();
  const seen = new Set<number>();
  for (;;) {
    const marked = await markedProcesses(folder);
    if (marked.length === 0) return seen.size;
    for (const entry of marked) {
      seen.add(entry.pid);
      if (performance.now() >= killAt) await signal(entry, "SIGKILL");
      else if (!told.has(entry.pid)) await signal(entry, "SIGTERM");
      told.add(entry.pid);
    }
    if (performance.now() >= killAt + GRACE_MS) return seen.size;
    await delay(50);
  }
}

async function markedProcesses(folder: string): Promise<ProcessEntry[]> {
  const table = await readProcessTable();
  const marks = await Promise.all(table.map(({ pid }) => hasEnvironment(pid, `${TIED_VARIABLE}=${folder}`)));
  const roots = table.filter(({ pid }, index) => pid !== process.pid && marks[index] === true);
  return withDescendants(table, roots).filter(({ pid }) => pid !== process.pid);
}

/** Leaves alone what has ended meanwhile, or is not ours. */
const signal = (entry: ProcessEntry, name: NodeJS.Signals): Promise<void> =>
  sendSignal(entry, name).catch(() => undefined);

/** Lazily: whatever still has a file open there keeps it for that long. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = await readFile("/proc/mounts", "utf8").catch(() => "");
  const places = mounts.split("\n").map((line) => line.split(" ")[1] ?? "");
  for (const place of places.filter((one) => one.startsWith(`${folder}${sep}`)).reverse()) {
    await promisify(execFile)("umount", ["-l", place]).catch(() => undefined);
  }
}
