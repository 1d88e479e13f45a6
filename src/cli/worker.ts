import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ModelDeployer } from "../agents/model_deployer/create_model_deployer.ts";
import { BestEffortCheckpoints, type CheckpointsChange } from "../pipeline/best_effort_checkpoints.ts";
import { createCheckpoints } from "../pipeline/checkpoints.ts";
import { type ExitCode, exitCodes } from "./exit_codes.ts";
import type { Execute } from "./program.ts";
import type { Invocation } from "./runner.ts";
import { eventsOf, type WorkerEvent } from "./worker_log.ts";

type Log = (event: WorkerEvent) => void;

export function addWorker(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("worker")
    .description(
      "take rollouts step by step, carry interrupted operations on, drain; until SIGTERM or Ctrl-C",
    )
    .option("--idle <milliseconds>", "between two rounds", Number, 250)
    .action(({ idle }) => execute("worker", (invocation) => keepingThreads(invocation, idle)));
}

/**
 * Where checkpoints have a place, each step of a rollout is kept there, as a run on the rollout's own thread. No step
 * waits for that place: what cannot be kept is left out, and said.
 */
async function keepingThreads(invocation: Invocation, idleMs: number): Promise<ExitCode> {
  const { checkpointsUrl } = await invocation.configuration();
  const begin = (deployer: ModelDeployer) => work(invocation, deployer, idleMs);
  // After a restart of the machine, nothing that serves waits for what only keeps a record.
  const options = { registryMayFollow: true };
  if (checkpointsUrl === null) return invocation.withDeployer(begin, options);
  const log = logTo(invocation);
  const checkpointer = new BestEffortCheckpoints(await createCheckpoints(checkpointsUrl), (change) =>
    log(checkpointsEvent(change)),
  );
  try {
    await checkpointer.setup();
    return await invocation.withDeployer(begin, { ...options, checkpointer });
  } finally {
    await checkpointer.end();
  }
}

/** Ends with the step that is under way, and leaves no lease behind. */
async function work(invocation: Invocation, deployer: ModelDeployer, idleMs: number): Promise<ExitCode> {
  const { signal } = invocation;
  const log = logTo(invocation);
  log({ level: "info", event: "started", message: `the worker begins, process ${process.pid}` });
  const observed = await deployer.observeWorker();
  const onTick = (report: Parameters<typeof eventsOf>[0]) => {
    observed.onTick(report);
    for (const event of eventsOf(report)) log(event);
  };
  await deployer.worker.run({ signal, idleMs, onTick });
  await observed.close();
  log({ level: "info", event: "stopped", message: "the worker has ended" });
  return exitCodes.done;
}

function checkpointsEvent(change: CheckpointsChange): WorkerEvent {
  const event = "checkpoints";
  if (change.kept) return { level: "info", event, message: "what the worker does is kept as threads again" };
  const message = `what the worker does is not kept as threads for now, and goes on: ${change.why}`;
  return { level: "warn", event, message };
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
