import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { TIED_VARIABLE } from "../child_environment.ts";

/** With the extension of this file: `.ts` in a checkout, `.js` in the package. */
const guardianPath = fileURLToPath(import.meta.url.replace("throwaway_home", "home_guardian"));

/**
 * Ties a home to this process: the returned function, or the end of this process even by SIGKILL, ends its servers,
 * routers and services and removes its folder.
 */
export function throwAwayWithProcess(home: string): () => Promise<void> {
  // It belongs to nobody: a folder that its owner is tied to may go before this one.
  const { [TIED_VARIABLE]: _, ...env } = process.env;
  const guardian = spawn(process.execPath, [guardianPath, home], {
    detached: true,
    env,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(guardian, "exit");
  guardian.unref();
  return async () => {
    guardian.ref();
    guardian.stdin.end();
    await ended;
  };
}

/**
 * As `throwAwayWithProcess`, and everything that this process starts from now on is tied to the folder as well, whether it
 * leaves a record there or not, unless its environment is made without what `childEnvironment` hands on.
 */
export function tieToFolder(folder: string): () => Promise<void> {
  const end = throwAwayWithProcess(folder);
  process.env[TIED_VARIABLE] = folder;
  return end;
}
