import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** The password kept in the file, drawn when there is none: 48 hexadecimal digits, readable by the owner alone. */
export async function keepSecret(path: string): Promise<string> {
  const kept = await readFile(path, "utf8").catch(() => "");
  if (kept !== "") return kept;
  const secret = randomBytes(24).toString("hex");
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, secret, { mode: 0o600 });
  return secret;
}
