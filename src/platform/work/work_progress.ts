import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readProcess } from "../processes/process_table.ts";

const suffix = ".progress.json";

/** Progress of one long work as its process writes it into `<name>.progress.json`; times in seconds. */
export const workProgressSchema = z.strictObject({
  /** `cut`: it reached its own limit. */
  state: z.enum(["running", "done", "failed", "cut"]),
  /** For people: `the environment of 123 packages`. */
  what: z.string(),
  /** For people: `installing 45 of 123 packages`. */
  doing: z.string(),
  seconds: z.number(),
  limit_seconds: z.number(),
  /** Of the process that does it. */
  pid: z.int(),
  start_time: z.string(),
  /** The last lines of its programs' output. */
  last_lines: z.array(z.string()),
});
export type WorkProgress = z.infer<typeof workProgressSchema>;

export function progressPath(directory: string, name: string): string {
  return join(directory, `${name}${suffix}`);
}

/** Null where the file is missing or holds no progress. */
export async function readProgress(directory: string, name: string): Promise<WorkProgress | null> {
  const text = await readFile(progressPath(directory, name), "utf8").catch(() => "");
  try {
    return workProgressSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Work under way in the folder, whoever does it; a process that has ended has none. */
export async function listProgress(directory: string): Promise<WorkProgress[]> {
  const files = await readdir(directory).catch(() => []);
  const names = files.filter((file) => file.endsWith(suffix)).map((file) => file.slice(0, -suffix.length));
  const found = await Promise.all(names.map((name) => readProgress(directory, name)));
  const running = found.filter((one) => one !== null).filter((one) => one.state === "running");
  const living = await Promise.all(running.map(async (one) => ((await isAlive(one)) ? one : null)));
  return living.filter((one) => one !== null);
}

async function isAlive({ pid, start_time }: WorkProgress): Promise<boolean> {
  return (await readProcess(pid))?.start_time === start_time;
}

/** `installing 45 of 123 packages, 80 s of at most 3600 s` */
export function sentenceOfProgress({
  doing,
  seconds,
  limit_seconds,
}: Pick<WorkProgress, "doing" | "seconds" | "limit_seconds">): string {
  return `${doing}, ${Math.round(seconds)} s of at most ${limit_seconds} s`;
}
