import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { type ConsoleFiles, readConsoleFiles } from "../../../src/api/console_files.ts";
import { withFileLock } from "../../../src/platform/processes/file_lock.ts";

const WAIT_MS = 600_000;

/** Files of tests run beside each other and share a folder: what is made there once is made by one of them. */
export function onceInThisRun<T>(work: () => Promise<T>): Promise<T> {
  return withFileLock(join(tmpdir(), "console-tests.lock"), { waitMs: WAIT_MS }, work);
}

/** The page as it is built of the sources, in the run's own folder, so that nobody's `dist` changes under them. */
export async function builtConsole(): Promise<ConsoleFiles> {
  const outDir = join(tmpdir(), "built-console");
  await onceInThisRun(async () => {
    if (existsSync(join(outDir, "index.html"))) return;
    await build({ configFile: "console/vite.config.ts", logLevel: "warn", build: { outDir } });
  });
  return readConsoleFiles([outDir]);
}
