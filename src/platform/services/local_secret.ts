import { randomBytes } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { keepOnce } from "../secrets/kept_once.ts";

/** The password kept in the file, drawn when there is none: 48 hexadecimal digits, readable by the owner alone. */
export async function keepSecret(path: string): Promise<string> {
  const kept = await readFile(path, "utf8").catch(() => null);
  if (kept !== null && kept !== "") return kept;
  // An empty one is what a full disk has left of it.
  if (kept === "") await rm(path, { force: true });
  await keepOnce(path, randomBytes(24).toString("hex"));
  return readFile(path, "utf8");
}
