import { randomUUID } from "node:crypto";
import { link, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { hasCode } from "../system_errors.ts";

/** Writes the file, for its owner alone, unless it is there; of several at the same time all find the whole text of one. */
export async function keepOnce(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const made = `${path}.${randomUUID()}`;
  try {
    await writeFile(made, text, { mode: 0o600, flag: "wx" });
    await link(made, path);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    await rm(made, { force: true });
  }
}
