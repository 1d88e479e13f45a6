import { randomUUID } from "node:crypto";
import { lstat, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { digestOfFile, digestOfFiles, type HashedFile } from "../artifact_digest.ts";

const INCOMING = ".incoming-";
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

/** A new folder that `settle` turns into a content-addressed one; whoever made it removes it on failure. */
export async function openIncomingFolder(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  await removeAbandoned(directory);
  const incoming = join(directory, `${INCOMING}${randomUUID()}`);
  await mkdir(incoming, { mode: 0o700 });
  return incoming;
}

/**
 * Moves a filled folder to `<directory>/<digest>` in one step. An equal folder that is there already is kept; one whose
 * files no longer have that digest is replaced, and so is a link or a file in its place.
 */
export async function settleFolder(directory: string, incoming: string, digest: string): Promise<string> {
  const target = join(directory, digest);
  for (;;) {
    try {
      await rename(incoming, target);
      return target;
    } catch (error) {
      if (!isOccupied(error)) throw error;
    }
    if ((await digestIfPresent(target)) === digest) {
      await rm(incoming, { recursive: true, force: true });
      return target;
    }
    const spoilt = join(directory, `${INCOMING}${randomUUID()}`);
    await rename(target, spoilt);
    await rm(spoilt, { recursive: true, force: true });
  }
}

async function digestIfPresent(folder: string): Promise<string | null> {
  try {
    // What a link leads to is not ours, whatever lies there.
    return (await lstat(folder)).isDirectory() ? await digestOfFolder(folder) : null;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw error;
  }
}

/** Removes what a killed process has left half filled. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (!name.startsWith(INCOMING)) continue;
    const folder = join(directory, name);
    const information = await stat(folder).catch((error: unknown) => {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    });
    if (information === null || Date.now() - information.mtimeMs < ABANDONED_AFTER_MS) continue;
    await rm(folder, { recursive: true, force: true });
  }
}

function isOccupied(error: unknown): boolean {
  return ["ENOTEMPTY", "EEXIST", "ENOTDIR"].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
