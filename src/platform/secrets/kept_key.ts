import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import { hasCode, isMissing } from "../system_errors.ts";

/** The key in the file, 64 hexadecimal digits; of two processes that make one at the same time both get the same. */
export async function keptKey(path: string): Promise<string> {
  const kept = await read(path);
  if (kept !== null) return kept;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const made = `${path}.${randomUUID()}`;
  await writeFile(made, randomBytes(32).toString("hex"), { mode: 0o600, flag: "wx" });
  try {
    await link(made, path);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    await rm(made);
  }
  return (await read(path)) ?? "";
}

async function read(path: string): Promise<string | null> {
  let kept: string;
  try {
    kept = (await readFile(path, "utf8")).trim();
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  if (/^[0-9a-f]{64}$/.test(kept)) return kept;
  throw new ConfigurationError(
    `${path} holds no key of 64 hexadecimal digits: bring it back from where it was kept, or remove it and set the sinks anew.`,
  );
}
