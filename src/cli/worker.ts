import { setTimeout as delay } from "node:timers/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { AgentError } from "../agents/base/agent_error.ts";
import type { ModelDeployer } from "../agents/model_deployer/create_model_deployer.ts";
import { type ExitCode, exitCodes } from "./exit_codes.ts";
import type { Execute } from "./program.ts";
import type { Invocation } from "./runner.ts";
import { eventsOf, type WorkerEvent } from "./worker_log.ts";

const HEARTBEAT_MS = 5000;

type Log = (event: WorkerEvent) => void;

export function addWorker(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("worker")
    .description(
      "take rollouts step by step, carry interrupted operations on, drain; until SIGTERM or Ctrl-C",
    )
    .option("--idle <milliseconds>", "between two rounds", Number, 250)
    .action(({ idle }) =>
      execute("worker", (invocation) =>
        invocation.withDeployer((deployer) => work(invocation, deployer, idle)),
      ),
    );
}

/** Ends with the step that is under way, and leaves no lease behind. */
async function work(invocation: Invocation, deployer: ModelDeployer, idleMs: number): Promise<ExitCode> {
  const { signal } = invocation;
  const log = logTo(invocation);
  log({ level: "info", event: "started", message: `the worker begins, process ${process.pid}` });
  const observed = await deployer.observeWorker();
  const beating = beat(deployer, signal, log);
  const onTick = (report: Parameters<typeof eventsOf>[0]) => {
    observed.onTick(report);
    for (const event of eventsOf(report)) log(event);
  };
  await deployer.worker.run({ signal, idleMs, onTick });
  await beating;
  await observed.close();
  log({ level: "info", event: "stopped", message: "the worker has ended" });
  return exitCodes.done;
}

/** Tells the database that somebody is there; one that can't be told is tried again. */
async function beat({ database }: ModelDeployer, signal: AbortSignal, log: Log): Promise<void> {
  const told = async (tell: () => Promise<void>) => {
    try {
      await tell();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      log({ level: "warn", event: "problem", message: error.message });
    }
  };
  while (!signal.aborted) {
    await told(() => database.workers.seen());
    await delay(HEARTBEAT_MS, undefined, { signal }).catch(() => undefined);
  }
  await told(() => database.workers.ended());
}

function logTo({ terminal }: Invocation): Log {
  return (event) => {
    const at = new Date().toISOString();
    if (terminal.json) terminal.out([JSON.stringify({ at, ...event })]);
    else {
      const mark = event.level === "warn" ? terminal.paint.yellow("!") : " ";
      terminal.out([`${terminal.paint.dim(at.slice(11, 23))} ${mark} ${event.message}`]);
    }
  };
}
