import type { ModelDeployer } from "../../../wiring/model_deployer.ts";
import type { CheckpointsChange } from "../../../pipeline/best_effort_checkpoints.ts";
import { type ExitCode, exitCodes } from "../../invocation/exit_codes.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { eventsOf, type WorkerEvent } from "../../output/worker_log.ts";

/** Work beside the worker until the signal; where it fails, the worker ends too. */
export type Beside = (deployer: ModelDeployer, signal: AbortSignal) => Promise<void>;
const nothing: Beside = async () => undefined;

interface Run {
  idleMs: number;
  until: AbortSignal;
}

type Log = (event: WorkerEvent) => void;

/**
 * Where a database for checkpoints is configured, each step of a rollout is kept there, as a run on the rollout's own
 * thread. No step waits for that database: a checkpoint that cannot be kept is left out and reported.
 */
export async function runWorker(
  invocation: Invocation,
  run: Run,
  beside: Beside = nothing,
): Promise<ExitCode> {
  const { checkpointsUrl } = await invocation.configuration();
  const begin = (deployer: ModelDeployer) => work(invocation, deployer, run, beside);
  // After a restart of the machine, serving must not wait for the registry, which only keeps a record.
  const options = { registryMayFollow: true };
  if (checkpointsUrl === null) return invocation.withDeployer(begin, options);
  const log = logTo(invocation);
  const [{ BestEffortCheckpoints }, { createCheckpoints }] = await Promise.all([
    import("../../../pipeline/best_effort_checkpoints.ts"),
    import("../../../pipeline/checkpoints.ts"),
  ]);
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
async function work(
  invocation: Invocation,
  deployer: ModelDeployer,
  { idleMs, until }: Run,
  beside: Beside,
): Promise<ExitCode> {
  const failed = new AbortController();
  const signal = AbortSignal.any([until, failed.signal]);
  const log = logTo(invocation);
  log({ level: "info", event: "started", message: `the worker begins, process ${process.pid}` });
  const observed = await deployer.observeWorker();
  const onTick = (report: Parameters<typeof eventsOf>[0]) => {
    observed.onTick(report);
    for (const event of eventsOf(report)) log(event);
  };
  const accompanied = beside(deployer, signal).catch((error: unknown) => {
    failed.abort();
    throw error;
  });
  const ended = await Promise.allSettled([deployer.worker.run({ signal, idleMs, onTick }), accompanied]);
  await observed.close();
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  log({ level: "info", event: "stopped", message: "the worker has ended" });
  return exitCodes.done;
}

function checkpointsEvent(change: CheckpointsChange): WorkerEvent {
  const event = "checkpoints";
  if (change.kept) return { level: "info", event, message: "the worker's steps are kept as threads again" };
  const message = `the worker goes on, and for now its steps are not kept as threads: ${change.why}`;
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
