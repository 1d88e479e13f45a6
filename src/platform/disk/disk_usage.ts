import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";

const BLOCK = 512;

export interface Usage {
  /** As the file system has them; a file that has several names is counted once. */
  bytes: number;
  /** The newest change of what was asked for, milliseconds; 0 where there is nothing. */
  changed_ms: number;
}

/** How much room files and folders take; what vanishes meanwhile counts for nothing. */
export async function usageOfPaths(paths: readonly string[], seen: Set<string> = new Set()): Promise<Usage> {
  const usage = { bytes: 0, changed_ms: 0 };
  for (const path of paths) await add(path, usage, seen, true);
  return usage;
}

async function add(path: string, usage: Usage, seen: Set<string>, isTop: boolean): Promise<void> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return;
  if (isTop) usage.changed_ms = Math.max(usage.changed_ms, found.mtimeMs);
  const inode = `${found.dev}:${found.ino}`;
  if (!found.isDirectory()) {
    if (found.nlink > 1 && seen.has(inode)) return;
    seen.add(inode);
  }
  usage.bytes += found.blocks * BLOCK;
  if (!found.isDirectory()) return;
  const names = await readdir(path).catch(() => []);
  for (const name of names) await add(join(path, name), usage, seen, false);
}
