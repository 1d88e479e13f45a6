import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isMissing } from "../system_errors.ts";

const pathIn = (home: string): string => join(home, "api_address");

/** Notes where this home's API answers, for links and for `console`. */
export async function noteServedAddress(home: string, url: string): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  await writeFile(pathIn(home), reachedAt(url), { mode: 0o600 });
}

/** Takes the note back, unless another process has written its own. */
export async function forgetServedAddress(home: string, url: string): Promise<void> {
  if ((await servedAddress(home)) === reachedAt(url)) await rm(pathIn(home), { force: true });
}

/** Null where none was served, or the last one has ended. */
export async function servedAddress(home: string): Promise<string | null> {
  try {
    const kept = (await readFile(pathIn(home), "utf8")).trim();
    return URL.canParse(kept) ? kept : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

/** A server that listens at every address is reached by the machine's name. */
function reachedAt(url: string): string {
  const reached = new URL(url);
  if (["0.0.0.0", "[::]"].includes(reached.hostname)) reached.hostname = hostname();
  return reached.href;
}
