import { type ProcessEntry, readProcess } from "./process_table.ts";

/**
 * Looks once more before it sends the signal, since between the listing and now the pid may have changed hands.
 * @throws the system's error, such as EPERM for a process of another user and ESRCH for one that has ended meanwhile
 */
export async function sendSignal(
  { pid, start_time }: Pick<ProcessEntry, "pid" | "start_time">,
  signal: NodeJS.Signals,
): Promise<void> {
  const present = await readProcess(pid);
  if (present?.start_time === start_time) process.kill(pid, signal);
}
