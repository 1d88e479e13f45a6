import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { findFreePort, isPortFree } from "../free_port.ts";

const portSchema = z.coerce.number().int().min(1024).max(65_535);

/** The port kept in the file; null when there is none. */
export async function readKeptPort(path: string): Promise<number | null> {
  const text = await readFile(path, "utf8").catch(() => "");
  const port = portSchema.safeParse(text.trim() === "" ? undefined : text.trim());
  return port.success ? port.data : null;
}

/** The port kept in the file if it is still free on 127.0.0.1, else a free one, which is kept from now on. */
export async function keepFreePort(path: string): Promise<number> {
  const kept = await readKeptPort(path);
  const port = kept !== null && (await isPortFree(kept)) ? kept : await findFreePort();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, `${port}\n`, { mode: 0o600 });
  return port;
}
