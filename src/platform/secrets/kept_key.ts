import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import { isMissing } from "../system_errors.ts";
import { keepOnce } from "./kept_once.ts";

/** The key in the file, 64 hexadecimal digits; of two processes that make one at the same time both get the same. */
export async function keptKey(path: string): Promise<string> {
  const kept = await read(path);
  if (kept !== null) return kept;
  await keepOnce(path, randomBytes(32).toString("hex"));
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
