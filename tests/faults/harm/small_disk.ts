import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** Room for all that a world writes and keeps, and little enough to be filled within a second. */
const MEGABYTES = 512;
const FILLER = "filler";
const PIECE = Buffer.alloc(1024 * 1024, 1);

/** A disk of its own at an empty folder, in memory; false where this process may not mount one. */
export async function mountSmallDisk(folder: string): Promise<boolean> {
  await mkdir(folder, { recursive: true });
  if (process.platform !== "linux" || process.getuid?.() !== 0) return false;
  const { exitCode } = await execa("mount", ["-t", "tmpfs", "-o", `size=${MEGABYTES}m`, "tmpfs", folder], {
    reject: false,
  });
  return exitCode === 0;
}

export async function unmountSmallDisk(folder: string): Promise<void> {
  // Lazily: a process that has just ended may hold it for a moment.
  await execa("umount", ["--lazy", folder], { reject: false });
}

/** Until not a byte more can be written. */
export async function fillDisk(folder: string): Promise<void> {
  const path = join(folder, FILLER);
  for (const piece of [PIECE, Buffer.alloc(4096, 1), Buffer.alloc(1)]) {
    try {
      for (;;) await writeFile(path, piece, { flag: "a" });
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOSPC")) throw error;
    }
  }
}

export async function emptyDisk(folder: string): Promise<void> {
  await rm(join(folder, FILLER), { force: true });
}
