import { pollUntil } from "../../src/testing/poll.ts";
import { processesMarked } from "../../tests/faults/processes/marked_processes.ts";

const DEADLINE_MS = 60_000;

/** Ends every process of the home at once, as a machine's restart does; returns how many there were. */
export async function killAllOf(home: string): Promise<number> {
  return killMarked(home);
}

/** Its record stays, and with it the port that routes lead to. */
export async function killServerOf(deployment: string): Promise<void> {
  await killMarked(`MODEL_DEPLOYER_DEPLOYMENT_ID=${deployment}`);
}

async function killMarked(text: string): Promise<number> {
  const killed = new Set<number>();
  const killRound = async () => {
    const found = await processesMarked(text);
    for (const { pid } of found) {
      killed.add(pid);
      kill(pid);
    }
    return found.length === 0;
  };
  await pollUntil(killRound, {
    deadlineMs: DEADLINE_MS,
    intervalMs: 50,
    what: `nothing that is marked ${text}`,
  });
  return killed.size;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
