import { randomUUID } from "node:crypto";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

export interface SmallDisk {
  path: string;
  /** Writes into a file of its own until not a byte more goes in. */
  fill(): void;
  /** Makes empty files until not one more is taken. */
  fillWithFiles(): void;
  /** Takes all of those away. */
  empty(): void;
  remove(): Promise<void>;
}

/**
 * A file system of its own, of so many MB and so many files, in memory; at an empty folder, or one that is made for it.
 * @returns in place of it the reason why none can be mounted here
 */
export async function mountSmallDisk(
  megabytes: number,
  path = mkdtempSync(join(tmpdir(), "model-deployer-disk-")),
  files = 10_000,
): Promise<SmallDisk | string> {
  mkdirSync(path, { recursive: true });
  const mounted = await execa(
    "mount",
    ["-t", "tmpfs", "-o", `size=${megabytes}m,nr_inodes=${files}`, "tmpfs", path],
    {
      reject: false,
    },
  );
  if (mounted.failed) {
    await rm(path, { recursive: true });
    return `no file system can be mounted: ${mounted.stderr || mounted.shortMessage}`;
  }
  const filling = join(path, "filling");
  return {
    path,
    fill: () => {
      fillUp(filling);
    },
    fillWithFiles: () => {
      mkdirSync(`${filling}-files`, { recursive: true });
      writeUntilFull(() => {
        closeSync(openSync(join(`${filling}-files`, randomUUID()), "wx"));
      });
    },
    empty: () => {
      rmSync(filling, { force: true });
      rmSync(`${filling}-files`, { recursive: true, force: true });
    },
    remove: async () => {
      // Lazily: a process that has just ended may hold it for a moment.
      await execa("umount", ["--lazy", path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

function fillUp(path: string): void {
  const file = openSync(path, "a");
  try {
    for (const bytes of [1024 * 1024, 4096, 1]) {
      const piece = Buffer.alloc(bytes, 1);
      writeUntilFull(() => writeSync(file, piece));
    }
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(write: () => unknown): void {
  for (;;) {
    try {
      write();
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOSPC") return;
      throw error;
    }
  }
}
