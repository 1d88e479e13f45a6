import { statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";

/** The type that `statfs` gives for /proc (PROC_SUPER_MAGIC of linux/magic.h). */
const PROC = 0x9fa0;

/** A folder that exists or can be made. Below /proc none can, and Node would try to for ever. */
export const folder = (): z.ZodString =>
  z
    .string()
    .refine((path) => fileSystemOf(resolve(path)) !== PROC, "a folder on a disk, and not below /proc");

/** The kind of file system that the path lies in, or would lie in; null where that cannot be told. */
function fileSystemOf(path: string): number | null {
  try {
    return statfsSync(path).type;
  } catch {
    // It is not there yet, or not to be read.
    const parent = dirname(path);
    return parent === path ? null : fileSystemOf(parent);
  }
}
