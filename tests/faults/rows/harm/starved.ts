import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpus, freemem, setPriority, totalmem } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { harmRow } from "../../harm/harm_row.ts";

const BURNER_NICENESS = 5;
const MB = 1024 * 1024;
/** Other programs of the machine must go on, too. */
const LARGEST_SHARE = 0.6;
const MOST_MB = 4096;
/** In a program that never comes to its event loop. */
const ITS_STARTER_LIVES = `process.ppid === ${process.pid}`;

export const cpuStarved = harmRow({
  name: "cpu-starved",
  fault:
    "a burner on each core, and two, while worker, servers and router run: nothing that is merely late is taken for dead",
  cases: ({ extent }) =>
    (extent === "whole" ? [1, 2] : [1]).map((each) => ({
      name: `${each} on each core`,
      rollout: true,
      fault: async () => {
        const burners = await Promise.all(
          Array.from({ length: cpus().length * each }, () =>
            begin(`process.stdout.write("1"); while (${ITS_STARTER_LIVES});`),
          ),
        );
        for (const { pid = 0 } of burners) setPriority(pid, each === 1 ? BURNER_NICENESS : 0);
        await delay(extent === "whole" ? 45_000 : 12_000);
        await Promise.all(burners.map(endOf));
      },
    })),
});

export const memoryPressure = harmRow({
  name: "memory-pressure",
  fault: "another program takes memory that it writes to again and again: nothing is stopped or started",
  cases: ({ extent }) => [
    {
      name: "beside a large allocator",
      rollout: true,
      fault: async () => {
        const bound = LARGEST_SHARE * totalmem() - (totalmem() - freemem());
        const megabytes = Math.max(64, Math.min(MOST_MB, Math.floor(bound / MB)));
        const large = await begin(
          `const held = Array.from({ length: ${megabytes} }, () => Buffer.alloc(${MB}, 1));
           process.stdout.write("1");
           for (let turn = 0; ${ITS_STARTER_LIVES}; turn += 1) held[turn % held.length].fill(turn % 256);`,
        );
        await delay(extent === "whole" ? 30_000 : 5_000);
        await endOf(large);
      },
    },
  ],
});

/** A program that has said something. */
async function begin(script: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  return child;
}

async function endOf(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}
