import { setTimeout as delay } from "node:timers/promises";
import { readProcessTable } from "../src/platform/processes/process_table.ts";

const GRACE_MS = 5000;
const POLL_MS = 50;

/** Ends all processes of a group: in order, and after five seconds by force. Idempotent. */
export async function endGroup(group: number): Promise<void> {
  const isThere = async () => (await readProcessTable()).some((one) => one.group === group);
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!(await isThere())) return;
    send(group, signal);
    for (let waited = 0; waited < GRACE_MS && (await isThere()); waited += POLL_MS) await delay(POLL_MS);
  }
}

/** The last of them may end between the look and the signal. */
function send(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
