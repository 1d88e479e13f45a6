import { join } from "node:path";
import { NotFoundError } from "../../src/agents/model_deployer/errors.ts";
import { ServerRecords } from "../../src/mlops/bentoml/servers/server_record.ts";
import { pollUntil } from "../../src/testing/poll.ts";
import { processesMarked } from "../../tests/faults/processes/marked_processes.ts";

const DEADLINE_MS = 60_000;

/** Ends every process of the home at once, as a machine's restart does; returns how many there were. */
export async function killAllOf(home: string): Promise<number> {
  return killMarked(home);
}

/** Its record stays, and with it the port that routes lead to. */
export async function killServerOf(home: string, deployment: string): Promise<void> {
  const records = new ServerRecords(join(home, "run", "servers"));
  // A server that came up as a shadow has kept that name at production.
  const name = (await records.processOf(deployment)) ?? deployment;
  const killed = await killMarked(`MODEL_DEPLOYER_DEPLOYMENT_ID=${name}`);
  if (killed === 0) throw new NotFoundError(`no process serves ${deployment}`);
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
