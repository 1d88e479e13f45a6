import { setTimeout as delay } from "node:timers/promises";
import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";
import type { HarmWorld } from "../../harm/harm_world.ts";
import { instancesIn } from "../../harm/served_processes.ts";

const SECONDS = { selection: [4], whole: [1.5, 4, 9] } as const;

/** Cases 3 and 4 of what was seen to hurt production. */
export const lateProbes = harmRow({
  name: "late-probes",
  fault:
    "SIGSTOP of a server for less than its liveness allows, while it is looked at: nothing is stopped, started or written, and its callers wait",
  cases: ({ extent }) => [
    ...SECONDS[extent].map((seconds) => heldUp(seconds)),
    ...(extent === "whole" ? SECONDS.whole : [2]).map((seconds) => heldUpTwice(seconds)),
  ],
});

function heldUp(seconds: number): HarmCase {
  return {
    name: `production for ${seconds} s`,
    fault: (world) => holdUp(world, world.production, seconds),
  };
}

function heldUpTwice(seconds: number): HarmCase {
  return {
    name: `the candidate twice for ${seconds} s`,
    rollout: true,
    fault: async (world) => {
      const candidate = await world.beginRollout();
      await holdUp(world, candidate, seconds);
      await delay(1000);
      await holdUp(world, candidate, seconds);
    },
  };
}

async function holdUp({ home }: HarmWorld, deployment: string, seconds: number): Promise<void> {
  const servers = (await instancesIn(home)).filter((one) => one.deployment === deployment);
  const pids = servers.flatMap((one) => one.pids);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  await delay(seconds * 1000);
  for (const pid of pids) wake(pid);
}

/** Whoever ended it meanwhile did so by our fault, which the row finds out by itself. */
function wake(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
