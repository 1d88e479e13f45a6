import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointTuple,
} from "@langchain/langgraph";
import { withoutCredentials } from "../agents/base/credentials.ts";
import { untilAborted } from "../agents/base/deadline.ts";
import { Circuit } from "../platform/work/circuit.ts";
import type { PostgresCheckpoints } from "./checkpoints.ts";

type ListOptions = Parameters<BaseCheckpointSaver["list"]>[1];
type Writes = Parameters<BaseCheckpointSaver["putWrites"]>[1];

/** Whether checkpoints are kept from now on; where they are not, the reason. */
export type CheckpointsChange = { kept: true } | { kept: false; why: string };

export interface BestEffortOptions {
  /** The longest that one run waits for its checkpoints in all; a healthy run waits some 50 ms. 2 s unless given. */
  patienceMs?: number;
  /** How long after a failure no checkpoints are written, before one run tries again. 5 s unless given. */
  triedAgainAfterMs?: number;
}

/** Longer than any run of a worker, and than any of its statements. */
const OVER_MS = 300_000;

interface Run {
  isKept: boolean;
  patienceMs: number;
  /** Calls that have not ended, given up or not. */
  underWay: number;
  beganAt: number;
}

/**
 * Checkpoints for runs that must not wait for them, a worker's: a checkpoint that cannot be written is left out, and
 * the run goes on. After the first missing one the rest of the run is not kept either, so that a thread only holds
 * whole runs; its next run is kept again. Not for runs that wait for an approval, which could not be resumed.
 */
export class BestEffortCheckpoints extends BaseCheckpointSaver {
  readonly #checkpoints: PostgresCheckpoints;
  readonly #onChange: (change: CheckpointsChange) => void;
  readonly #patienceMs: number;
  readonly #circuit: Circuit;
  readonly #runs = new Map<string, Run>();
  #isKeeping = true;
  #ready: Promise<void> | null = null;

  constructor(
    checkpoints: PostgresCheckpoints,
    onChange: (change: CheckpointsChange) => void,
    { patienceMs = 2_000, triedAgainAfterMs = 5_000 }: BestEffortOptions = {},
  ) {
    super(checkpoints.serde);
    this.#checkpoints = checkpoints;
    this.#onChange = onChange;
    this.#patienceMs = patienceMs;
    this.#circuit = new Circuit({
      service: "the database of the checkpoints",
      consecutiveFailures: 1,
      halfOpenAfterMs: triedAgainAfterMs,
      isOutage: () => true,
    });
  }

  /** Makes the tables now if possible, else as soon as it is. */
  async setup(): Promise<void> {
    await this.#attempt(this.#newRun(), () => Promise.resolve());
  }

  /** Waits for writes under way, but not for a server that is silent. */
  async end(): Promise<void> {
    const patience = AbortSignal.timeout(this.#patienceMs);
    try {
      await untilAborted(patience, () => this.#checkpoints.end());
    } catch (error) {
      this.#tell({ kept: false, why: whyOf(error) });
    }
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const run = isBegun(config) ? this.#runOf(config) : this.#begin(config);
    return this.#attempt(run, () => this.#checkpoints.getTuple(config));
  }

  /** @throws what the database raises */
  list(config: RunnableConfig, options?: ListOptions): AsyncGenerator<CheckpointTuple> {
    return this.#checkpoints.list(config, options);
  }

  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    versions: Record<string, number | string>,
  ): Promise<RunnableConfig> {
    const run = this.#runOf(config);
    const put = () => this.#checkpoints.put(config, checkpoint, metadata, versions);
    const kept = await this.#attempt(run, put);
    const { thread_id, checkpoint_ns } = placeOf(config);
    return kept ?? { configurable: { thread_id, checkpoint_ns, checkpoint_id: checkpoint.id } };
  }

  async putWrites(config: RunnableConfig, writes: Writes, taskId: string): Promise<void> {
    await this.#attempt(this.#runOf(config), () => this.#checkpoints.putWrites(config, writes, taskId));
  }

  /** @throws what the database raises */
  async deleteThread(threadId: string): Promise<void> {
    await this.#checkpoints.deleteThread(threadId);
  }

  override getNextVersion(current: number | undefined): number {
    return this.#checkpoints.getNextVersion(current);
  }

  /** A late write of an earlier run on the thread would mix with this run's checkpoints, so this run waits for it. */
  #begin(config: RunnableConfig): Run {
    this.#forgetOver();
    const { thread_id } = placeOf(config);
    const last = this.#runs.get(thread_id);
    if (last !== undefined && last.underWay > 0) {
      last.isKept = false;
      return last;
    }
    const run = this.#newRun();
    this.#runs.delete(thread_id);
    this.#runs.set(thread_id, run);
    return run;
  }

  #runOf(config: RunnableConfig): Run {
    return this.#runs.get(placeOf(config).thread_id) ?? { ...this.#newRun(), isKept: false };
  }

  #newRun(): Run {
    return { isKept: true, patienceMs: this.#patienceMs, underWay: 0, beganAt: performance.now() };
  }

  #forgetOver(): void {
    const over = performance.now() - OVER_MS;
    for (const [threadId, { beganAt }] of this.#runs) {
      if (beganAt > over) return;
      this.#runs.delete(threadId);
    }
  }

  async #attempt<T>(run: Run, work: () => Promise<T>): Promise<T | undefined> {
    if (!run.isKept) return undefined;
    const began = performance.now();
    try {
      const done = await this.#circuit.run("keep a run", undefined, () => this.#patiently(run, work));
      this.#tell({ kept: true });
      return done;
    } catch (error) {
      run.isKept = false;
      this.#tell({ kept: false, why: whyOf(error) });
      return undefined;
    } finally {
      run.patienceMs -= performance.now() - began;
    }
  }

  #patiently<T>(run: Run, work: () => Promise<T>): Promise<T> {
    run.underWay += 1;
    const working = this.#prepared()
      .then(work)
      .finally(() => (run.underWay -= 1));
    return untilAborted(AbortSignal.timeout(Math.max(1, Math.ceil(run.patienceMs))), () => working);
  }

  #prepared(): Promise<void> {
    this.#ready ??= this.#checkpoints.setup().catch((error: unknown) => {
      this.#ready = null;
      throw error;
    });
    return this.#ready;
  }

  #tell(change: CheckpointsChange): void {
    if (change.kept === this.#isKeeping) return;
    this.#isKeeping = change.kept;
    this.#onChange(change);
  }
}

interface Place {
  thread_id: string;
  checkpoint_ns: string;
}

function placeOf({ configurable }: RunnableConfig): Place {
  const { thread_id, checkpoint_ns }: Record<string, unknown> = configurable ?? {};
  return {
    thread_id: String(thread_id),
    checkpoint_ns: typeof checkpoint_ns === "string" ? checkpoint_ns : "",
  };
}

/** A nested graph reads its checkpoint in the middle of a run, the outermost one at its beginning. */
function isBegun(config: RunnableConfig): boolean {
  return placeOf(config).checkpoint_ns !== "";
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return withoutCredentials(String(error));
  if (error.name === "TimeoutError") return "its database does not answer in time";
  // A host with several addresses fails with one error for each, and the collecting error has no message of its own.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : null;
  return withoutCredentials(first instanceof Error ? first.message : error.message);
}
