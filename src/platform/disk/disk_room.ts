import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";

export interface Room {
  path: string;
  free_bytes: number;
  /** Null where the file system has no limit. */
  free_files: number | null;
}

const FEW_FILES = 1000;

/** How much room the file system of each path has; one that does not exist yet counts as its nearest parent. */
export async function roomOf(paths: readonly string[]): Promise<Room[]> {
  const seen = new Map<number, Room>();
  for (const path of paths) {
    const place = await nearest(path);
    const { dev } = await stat(place);
    if (seen.has(dev)) continue;
    const { bavail, bsize, files, ffree } = await statfs(place);
    seen.set(dev, { path, free_bytes: bavail * bsize, free_files: files === 0 ? null : ffree });
  }
  return [...seen.values()];
}

/** Sentences about disks that will soon be full, each with its way out. */
export function shortages(rooms: readonly Room[], lowBytes: number): string[] {
  const wayOut = "free some before it is full: rollbacks have their room kept, all else stops";
  return rooms.flatMap(({ path, free_bytes, free_files }) => [
    ...(free_bytes < lowBytes ? [`the disk of ${path} has ${megabytes(free_bytes)} MB left; ${wayOut}`] : []),
    ...(free_files !== null && free_files < FEW_FILES
      ? [`the disk of ${path} has room for ${free_files} more files; ${wayOut}`]
      : []),
  ]);
}

export function megabytes(bytes: number): string {
  return String(Math.floor(bytes / (1024 * 1024)));
}

async function nearest(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : nearest(dirname(path));
}
