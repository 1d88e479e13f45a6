import { randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import { digestOfFile, digestOfFiles, type HashedFile } from "../../shared/artifact_digest.ts";
import { hasCode, isMissing } from "../../../platform/system_errors.ts";

const INCOMING = ".incoming-";
const NOTES = ".settled";
const ABANDONED_AFTER_MS = 24 * 60 * 60 * 1000;

/** The digest of the files that lie in a folder now. Links and other special files count by their name only. */
export async function digestOfFolder(folder: string): Promise<string> {
  const files: HashedFile[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = relative(folder, file).split(sep).join("/");
    files.push({ path, sha256: entry.isFile() ? await digestOfFile(file) : "special" });
  }
  return digestOfFiles(files);
}

/**
 * A folder that `moveIntoPlace` turns into a content-addressed one; whoever made it removes it on failure, or leaves
 * in it what the next one under the same name goes on with. Holds nothing that is not among `wanted`.
 */
export async function openIncomingFolder(
  directory: string,
  name: string,
  wanted: readonly string[],
): Promise<string> {
  await mkdir(directory, { recursive: true });
  await removeAbandoned(directory);
  const incoming = join(directory, `${INCOMING}${name}`);
  await mkdir(incoming, { recursive: true, mode: 0o700 });
  const known = new Set(wanted);
  for (const entry of await readdir(incoming, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const isWanted = entry.isFile() && known.has(relative(incoming, file).split(sep).join("/"));
    if (!entry.isDirectory() && !isWanted) await rm(file, { force: true });
  }
  return incoming;
}

/** The sha256 of a file that is there already and has this size; null where it has to be fetched. */
export async function digestIfWhole(file: string, size: number | null): Promise<string | null> {
  const found = size === null ? null : await lstat(file).catch(() => null);
  return found?.isFile() === true && found.size === size ? digestOfFile(file) : null;
}

/**
 * Moves a filled folder to `<directory>/<digest>` in one step. An equal folder that is there already is kept; one whose
 * files no longer have that digest is replaced, and so is a link or a file in its place.
 */
export async function moveIntoPlace(directory: string, incoming: string, digest: string): Promise<string> {
  const target = join(directory, digest);
  for (;;) {
    try {
      await rename(incoming, target);
      return target;
    } catch (error) {
      if (!isOccupied(error)) throw error;
    }
    if ((await digestIfPresent(target)) === digest) {
      // Whatever removes old ones sees that it is wanted.
      const now = new Date();
      await utimes(target, now, now);
      await rm(incoming, { recursive: true, force: true });
      return target;
    }
    const spoilt = join(directory, `${INCOMING}${randomUUID()}`);
    await rename(target, spoilt);
    await rm(spoilt, { recursive: true, force: true });
  }
}

const settledSchema = z.strictObject({ digest: z.string(), at: z.number() });

/** Records under the name which folder was filled, for those who waited for it. */
export async function notePlaced(directory: string, name: string, digest: string): Promise<void> {
  const notes = join(directory, NOTES);
  await mkdir(notes, { recursive: true });
  await writeFile(join(notes, name), JSON.stringify({ digest, at: Date.now() }));
}

/** The folder that another process has filled under the name meanwhile, if its files still have their digest. */
export async function placedSince(
  directory: string,
  name: string,
  since: number,
): Promise<{ path: string; digest: string } | null> {
  const text = await readFile(join(directory, NOTES, name), "utf8").catch(() => "null");
  const note = settledSchema.nullable().parse(JSON.parse(text));
  if (note === null || note.at < since) return null;
  const path = join(directory, note.digest);
  return (await digestIfPresent(path)) === note.digest ? { path, digest: note.digest } : null;
}

async function digestIfPresent(folder: string): Promise<string | null> {
  try {
    // A link's target is not ours, whatever it holds.
    return (await lstat(folder)).isDirectory() ? await digestOfFolder(folder) : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** Removes what a killed process has left half filled. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(INCOMING)) continue;
    const folder = join(directory, name);
    const information = await stat(folder).catch((error: unknown) => {
      if (isMissing(error)) return null;
      throw error;
    });
    if (information === null || Date.now() - information.mtimeMs < ABANDONED_AFTER_MS) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

function isOccupied(error: unknown): boolean {
  return hasCode(error, "ENOTEMPTY", "EEXIST", "ENOTDIR");
}
