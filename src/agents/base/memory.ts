import { AgentError } from "./agent_error.ts";
import { untilAborted } from "./deadline.ts";
import { publishDegraded } from "./diagnostics.ts";

/** The three kinds that the pipeline has. Which of them an agent is given, and by which ports, is its own type. */
export type MemoryKind = "working_memory" | "episodic_memory" | "procedural_memory";

/** An agent's memory, or the way to it, for who connects only when something is asked for. */
export type MemorySource<Memory extends object> = Memory | (() => Promise<Memory>);

export interface MemoryCall {
  /** Aborted when the run is, or has waited for long enough. */
  signal: AbortSignal;
}

/** A run waits so long for what is remembered, and then does without. */
const PATIENCE_MS = 2_000;

/**
 * One run's way to its agent's memory. No run fails by a memory or waits long for one: what does not answer is named in
 * `degraded`, and the run goes on without it.
 */
export class RunMemory<Memory extends object> {
  readonly #source: MemorySource<Memory> | null;
  readonly #signal: AbortSignal;
  readonly #degraded: string[];

  /** `degraded` takes the sentences, so that whoever answers for the run has them however it ends. */
  constructor(source: MemorySource<Memory> | null, signal: AbortSignal, degraded: string[] = []) {
    this.#source = source;
    this.#signal = signal;
    this.#degraded = degraded;
  }

  /** A sentence for each memory that was asked in vain, with what that means for the answer. */
  get degraded(): string[] {
    return [...this.#degraded];
  }

  /**
   * What `work` comes to; null where the agent was given no memory, or where it gave no answer in time.
   * @param kind of the memory that is asked
   * @param without what the run goes on without, after the memory's name: `does not hold the manifest`
   * @throws what is no AgentError, unless the time was over: a mistake in `work`
   */
  async use<T>(
    kind: MemoryKind,
    without: string,
    work: (memory: Memory, options: MemoryCall) => Promise<T>,
  ): Promise<T | null> {
    const source = this.#source;
    if (source === null) return null;
    const limit = AbortSignal.any([this.#signal, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      return await untilAborted(limit, async (signal) => {
        const memory = typeof source === "function" ? await source() : source;
        return work(memory, { signal });
      });
    } catch (error) {
      if (!(error instanceof AgentError) && !limit.aborted) throw error;
      const why = error instanceof AgentError ? error.message : "it gave no answer in time";
      const message = `${kind.replaceAll("_", " ")} ${without}: ${why}`;
      if (!this.#degraded.includes(message)) this.#degraded.push(message);
      publishDegraded({ part: kind, message });
      return null;
    }
  }
}
