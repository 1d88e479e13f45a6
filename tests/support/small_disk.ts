import { closeSync, mkdtempSync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";

export interface SmallDisk {
  path: string;
  /** Writes into a file of its own until nothing more goes in. */
  fill(): void;
  remove(): Promise<void>;
}

/** A file system of its own, of so many MB. @returns in place of it the reason why none can be mounted here */
export async function mountSmallDisk(megabytes: number): Promise<SmallDisk | string> {
  const path = mkdtempSync(join(tmpdir(), "model-deployer-disk-"));
  const mounted = await execa("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", path], {
    reject: false,
  });
  if (mounted.failed) {
    await rm(path, { recursive: true });
    return `no file system can be mounted: ${mounted.stderr || mounted.shortMessage}`;
  }
  return {
    path,
    fill: () => {
      fillUp(join(path, "filling"));
    },
    remove: async () => {
      await execa("umount", ["--lazy", path]);
      await rm(path, { recursive: true });
    },
  };
}

function fillUp(path: string): void {
  const file = openSync(path, "a");
  const [large, small] = [Buffer.alloc(1024 * 1024), Buffer.alloc(4096)];
  try {
    for (const piece of [large, small]) writeUntilFull(file, piece);
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, piece: Buffer): void {
  for (;;) {
    try {
      writeSync(file, piece);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOSPC") return;
      throw error;
    }
  }
}
