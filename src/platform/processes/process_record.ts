import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import {
  hasEnvironment,
  readBootIdentity,
  readProcess,
  readProcessTable,
  type ProcessEntry,
} from "./process_table.ts";
import { isMissing } from "../system_errors.ts";

/** The content of `<name>.pid`, which the launcher writes before it becomes the server. */
const recordSchema = z.strictObject({
  pid: z.int().min(1),
  start_time: z.string(),
  /** Random for each start; also in the environment of the server and of all its descendants. */
  instance: z.string(),
  boot: z.string(),
});
export type ProcessRecord = z.infer<typeof recordSchema>;

/** Carries the instance into the server's environment, so that its orphans are found whatever group they are in. */
export const instanceVariable = "MODEL_DEPLOYER_INSTANCE";

export const recordPath = (runDirectory: string, name: string): string => join(runDirectory, `${name}.pid`);

/** @throws ServiceRefusedError for a file that is no record. */
export async function readRecord(runDirectory: string, name: string): Promise<ProcessRecord | null> {
  const path = recordPath(runDirectory, name);
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    if (isMissing(cause)) return null;
    throw new ServiceRefusedError(name, `${path} cannot be read`, { cause });
  });
  if (text === null) return null;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ServiceRefusedError(
      name,
      `${path} is no process record: end the process by hand, remove the file`,
      {
        cause,
      },
    );
  }
}

/** Names of all records in the folder, living or not. */
export async function recordedNames(runDirectory: string): Promise<string[]> {
  const files = await readdir(runDirectory).catch((cause: unknown) => {
    if (isMissing(cause)) return [];
    throw new ServiceRefusedError("processes", `${runDirectory} cannot be read`, { cause });
  });
  return files.filter((file) => file.endsWith(".pid")).map((file) => file.slice(0, -".pid".length));
}

/** Whether the recorded process itself lives: the same pid, started at the same time, in the same boot. */
export async function isLeaderAlive(record: ProcessRecord): Promise<boolean> {
  const entry = await readProcess(record.pid);
  return entry !== null && (await isLeader(record, entry));
}

/**
 * All living processes of one start: the leader, its descendants, its process group, and whatever carries its instance.
 * A server's workers may be in sessions of their own and may outlive it, so no single sign finds them all.
 */
export async function livingMembers(
  record: ProcessRecord,
  knownTable?: ProcessEntry[],
): Promise<ProcessEntry[]> {
  const table = knownTable ?? (await readProcessTable());
  const sameBoot = record.boot === (await readBootIdentity());
  const atLeaderPid = table.find((entry) => entry.pid === record.pid);
  // A process with the leader's pid but another start means that the pid, and with it the group, is somebody else's.
  const groupIsOurs = sameBoot && (atLeaderPid === undefined || atLeaderPid.start_time === record.start_time);
  const assignment = `${instanceVariable}=${record.instance}`;
  const marks = await Promise.all(
    table.map(async (entry) =>
      groupIsOurs && entry.group === record.pid ? true : hasEnvironment(entry.pid, assignment),
    ),
  );
  return withDescendants(
    table,
    table.filter((_, index) => marks[index]),
  );
}

async function isLeader(record: ProcessRecord, entry: ProcessEntry): Promise<boolean> {
  return entry.start_time === record.start_time && record.boot === (await readBootIdentity());
}

/** These processes and all that they started, as far as that is known by their parents. */
export function withDescendants(table: ProcessEntry[], roots: ProcessEntry[]): ProcessEntry[] {
  const found = new Map(roots.map((entry) => [entry.pid, entry]));
  const queue = [...roots];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    for (const child of table) {
      if (child.parent !== next.pid || found.has(child.pid)) continue;
      found.set(child.pid, child);
      queue.push(child);
    }
  }
  return [...found.values()];
}
