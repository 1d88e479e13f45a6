import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type Stoppable, serviceRunDirectory, stoppedMark } from "../../services/local_service.ts";
import { isMissing } from "../../system_errors.ts";
import { readBootIdentity, readProcess } from "../process_table.ts";

const attendantSchema = z.strictObject({
  command: z.enum(["up", "worker", "serve"]),
  pid: z.int().min(1),
  start_time: z.string(),
  boot: z.string(),
  /** Milliseconds since 1970. */
  began_at: z.number(),
  /** The home's own services that it works with. */
  needs: z.array(z.enum(["postgres", "redis", "mlflow"])),
});

/** A command that serves a home until it is ended. */
export type Attendant = z.infer<typeof attendantSchema>;

const suffix = ".json";
const directoryIn = (home: string): string => join(home, "attending");

/** The commands that serve the home at this moment, the first one first; notes of those that were killed are removed. */
export async function attendantsOf(home: string): Promise<Attendant[]> {
  const directory = directoryIn(home);
  const files = await readdir(directory).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const boot = await readBootIdentity();
  const found = files
    .filter((file) => file.endsWith(suffix))
    .map(async (file) => {
      const noted = await readNote(join(directory, file));
      // Another machine's, or another container's, with the same folder: nothing is known of its processes.
      if (noted !== null && noted.boot !== boot) return null;
      if (noted !== null && (await readProcess(noted.pid))?.start_time === noted.start_time) return noted;
      await rm(join(directory, file), { force: true });
      return null;
    });
  const living = (await Promise.all(found)).filter((one) => one !== null);
  return living.sort((a, b) => a.began_at - b.began_at || a.pid - b.pid);
}

/** Null for what is none, or was removed meanwhile. */
async function readNote(path: string): Promise<Attendant | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  try {
    return attendantSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Notes that this process serves the home from now on. */
export async function noteAttendant(
  home: string,
  { command, needs }: Pick<Attendant, "command" | "needs">,
): Promise<Attendant> {
  const { pid } = process;
  const began_at = Date.now();
  const [boot, own] = await Promise.all([readBootIdentity(), readProcess(pid)]);
  const attendant = { command, pid, start_time: own?.start_time ?? "", boot, began_at, needs };
  await mkdir(directoryIn(home), { recursive: true, mode: 0o700 });
  const note = noteOf(home, attendant);
  // Whole at once, since whoever reads a note that is none removes it.
  await writeFile(`${note}.new`, JSON.stringify(attendant), { mode: 0o600 });
  await rename(`${note}.new`, note);
  return attendant;
}

const noteOf = (home: string, { pid, command }: Attendant): string =>
  join(directoryIn(home), `${command}-${pid}${suffix}`);

export async function forgetAttendant(home: string, attendant: Attendant): Promise<void> {
  await rm(noteOf(home, attendant), { force: true });
}

/** A file's times may be older than the clock by so much. */
const CLOCK_STEP_MS = 10;

/** Those of its needs that are being stopped since it began, and the whole home where that is. */
export async function stoppedUnder(home: string, { needs, began_at }: Attendant): Promise<Stoppable[]> {
  const marks = [...needs, "home" as const].map(async (name) => {
    const mark = await stat(stoppedMark(serviceRunDirectory(home), name)).catch(() => null);
    return mark !== null && mark.mtimeMs > began_at - CLOCK_STEP_MS ? [name] : [];
  });
  return (await Promise.all(marks)).flat();
}

const PATIENCE_MS = 75_000;

/** Whoever works with what is stopped; all, where the whole home is. */
export const worksWith = ({ needs }: Attendant, stopped: readonly Stoppable[]): boolean =>
  stopped.includes("home") || needs.some((name) => stopped.includes(name));

/**
 * Lays down marks by which those who work with these see that they are being stopped, and waits until they have ended in
 * order, which takes as long as the longest work under way; what needs longer than that is left to its errors.
 */
export async function endAttendants(home: string, stopped: readonly Stoppable[]): Promise<void> {
  const runDirectory = serviceRunDirectory(home);
  if ((await attendantsOf(home)).length > 0) await mkdir(runDirectory, { recursive: true, mode: 0o700 });
  // Without room for a mark a worker that runs may start it again.
  await Promise.allSettled(stopped.map((name) => writeFile(stoppedMark(runDirectory, name), "")));
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const others = (await attendantsOf(home)).filter((one) => one.pid !== process.pid);
    if (!others.some((one) => worksWith(one, stopped)) || performance.now() > deadline) return;
    await delay(100);
  }
}
