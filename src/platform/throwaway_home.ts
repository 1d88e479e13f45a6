import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The same kind of file as this one: source in a checkout, compiled in the package. */
const guardianPath = fileURLToPath(import.meta.url.replace("throwaway_home", "home_guardian"));

/**
 * Ties a home to this process: its servers, routers and services end and its folder goes with the returned function, or
 * with this process, even where that is killed.
 */
export function throwAwayWithProcess(home: string): () => Promise<void> {
  const guardian = spawn(process.execPath, [guardianPath, home], {
    detached: true,
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = once(guardian, "exit");
  return async () => {
    guardian.stdin.end();
    await ended;
  };
}
