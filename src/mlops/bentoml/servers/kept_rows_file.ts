import { rename, writeFile, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { KeptRowSettings } from "../../../agents/model_deployer/domain/evidence/kept_rows.ts";
import { isMissing } from "../../../platform/system_errors.ts";

/** Beside a server's prediction log; the server looks at it each second. */
const FILE = "rows.json";

/**
 * Has a server log sampled rows by these settings from the next second on; null ends it. Writes only what differs.
 */
export async function configureKeptRows(logPath: string, settings: KeptRowSettings | null): Promise<void> {
  const folder = dirname(logPath);
  const file = join(folder, FILE);
  if (settings === null) return rm(file, { force: true });
  const { sample, hidden, hashed } = settings;
  const text = JSON.stringify({ sample, hidden, hashed });
  try {
    if ((await readFile(file, "utf8").catch(absent)) === text) return;
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await rename(`${file}.new`, file);
  } catch (error) {
    // A server that never ran here has no folder.
    if (!isMissing(error)) throw error;
  }
}

function absent(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}
