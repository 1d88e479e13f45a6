import { chmodSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TIED_VARIABLE } from "../../../src/platform/processes/child_environment.ts";
import { whenStarterEnds } from "../../../src/platform/processes/starter.ts";
import { tieToFolder } from "../../../src/platform/processes/homes/throwaway_home.ts";

/** This process's own, once it is tied. */
let run: { end: () => Promise<void>; users: number } | null = null;

/**
 * Gives a run of tests a folder for all that it makes and starts; both go with the returned function, or with this process
 * even by SIGKILL. Whoever asks again shares it.
 */
export function tieRun(): () => Promise<void> {
  run ??= { end: tied(), users: 0 };
  const tie = run;
  tie.users += 1;
  return async () => {
    tie.users -= 1;
    if (tie.users === 0) await tie.end();
  };
}

function tied(): () => Promise<void> {
  // Socket paths are short. The user that runs Postgres for root has to pass through.
  const folder = mkdtempSync(join(tmpdir(), "t-"));
  chmodSync(folder, 0o711);
  const end = tieToFolder(folder);
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  return async () => {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
    delete process.env[TIED_VARIABLE];
    await end();
  };
}

/** For what is meant to stay after the run. */
export async function untied<T>(work: () => Promise<T>): Promise<T> {
  const { [TIED_VARIABLE]: folder, TMPDIR: scratch } = process.env;
  if (folder === undefined) return work();
  delete process.env[TIED_VARIABLE];
  delete process.env["TMPDIR"];
  try {
    return await work();
  } finally {
    process.env[TIED_VARIABLE] = folder;
    if (scratch !== undefined) process.env["TMPDIR"] = scratch;
  }
}

/** For vitest, which goes on when the npm that started it is killed. */
export default function setup(): () => Promise<void> {
  const isOfNpm = process.env["npm_execpath"] !== undefined;
  if (isOfNpm) whenStarterEnds(() => process.kill(process.pid, "SIGTERM"));
  return tieRun();
}
