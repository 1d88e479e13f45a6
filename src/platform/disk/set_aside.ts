import { randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { z } from "zod";
import { parsedJson } from "../parsed_json.ts";
import { hasCode, isMissing } from "../system_errors.ts";

const FOLDER = ".pruned";
const LIST = "moved.json";
/** Marks a thing that is being discarded, so that nobody puts half of it back. */
const GONE = ".gone";

const movedSchema = z.array(z.strictObject({ from: z.string(), to: z.string() }));
type Moved = z.infer<typeof movedSchema>;

interface Aside {
  restore(): Promise<void>;
  discard(): Promise<void>;
}

/**
 * Moves files or folders by one rename each into a folder beside them, where nobody looks for them; a list of them is
 * written first. What a process that is killed has left there is whole, and `putAllBack` puts it back.
 * @returns null where there is none of them
 */
export async function setAside(root: string, paths: readonly string[]): Promise<Aside | null> {
  const place = join(root, FOLDER, randomUUID());
  const moved = paths.map((from, index) => ({ from, to: join(place, `${index}-${basename(from)}`) }));
  await mkdir(place, { recursive: true, mode: 0o700 });
  await writeFile(join(place, LIST), JSON.stringify(moved));
  const found: Moved = [];
  for (const one of moved) {
    try {
      await rename(one.from, one.to);
      found.push(one);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  if (found.length > 0) return { restore: () => restore(place, found), discard: () => discard(place) };
  await discard(place);
  return null;
}

/** Only for whoever sets aside alone: nothing of what it finds is under way. */
export async function putAllBack(root: string): Promise<void> {
  for (const name of await readdir(join(root, FOLDER)).catch(() => [])) {
    const place = join(root, FOLDER, name);
    const list = await readFile(join(place, LIST), "utf8").catch(() => "");
    const moved = movedSchema.safeParse(parsedJson(list));
    if (name.endsWith(GONE) || !moved.success) await remove(place);
    else await restore(place, moved.data);
  }
}

/** Whether something of that name is aside at this moment, and may come back. */
export async function isAside(root: string, name: string): Promise<boolean> {
  return (await namesAside(root)).has(name);
}

/** The names of all that is aside at this moment, and may come back. */
export async function namesAside(root: string): Promise<ReadonlySet<string>> {
  const entries = await readdir(join(root, FOLDER), { recursive: true }).catch(() => []);
  const kept = entries.filter((path) => !path.includes(GONE));
  return new Set(kept.map((path) => basename(path).replace(/^\d+-/, "")));
}

async function restore(place: string, moved: Moved): Promise<void> {
  for (const { from, to } of moved) await putBack(to, from);
  await discard(place);
}

async function discard(place: string): Promise<void> {
  await rename(place, `${place}${GONE}`);
  await remove(`${place}${GONE}`);
}

const remove = (place: string) => rm(place, { recursive: true, force: true, maxRetries: 3 });

/** A thing that was made anew meanwhile stays. */
async function putBack(from: string, to: string): Promise<void> {
  if ((await lstat(to).catch(() => null)) !== null) return;
  await rename(from, to).catch((error: unknown) => {
    if (!isMissing(error) && !hasCode(error, "ENOTEMPTY", "EEXIST", "ENOTDIR", "EISDIR")) throw error;
  });
}
