import { AgentError } from "./agent_error.ts";
import { untilAborted } from "./deadline.ts";
import { publishDegraded } from "./diagnostics.ts";

/** The pipeline's three kinds of memory. An agent's own type says which of them it is given, and by which ports. */
export type MemoryKind = "working_memory" | "episodic_memory" | "procedural_memory";

/** An agent's memory, or a function that connects to it on first use. */
export type MemorySource<Memory extends object> = Memory | (() => Promise<Memory>);

export interface MemoryCall {
  /** Aborted when the run is, or has waited for long enough. */
  signal: AbortSignal;
}

/** How long a run waits for a memory before it goes on without. */
const PATIENCE_MS = 2_000;

/**
 * One run's access to its agent's memory. No run fails because of a memory or waits long for one: a memory that does
 * not answer is named in `degraded`, and the run goes on without it.
 */
export class RunMemory<Memory extends object> {
  readonly #source: MemorySource<Memory> | null;
  readonly #signal: AbortSignal;
  readonly #degraded: string[];

  /** `degraded` collects the sentences, so that they are reported however the run ends. */
  constructor(source: MemorySource<Memory> | null, signal: AbortSignal, degraded: string[] = []) {
    this.#source = source;
    this.#signal = signal;
    this.#degraded = degraded;
  }

  /** A sentence for each memory that did not answer, with the consequence for the run. */
  get degraded(): string[] {
    return [...this.#degraded];
  }

  /**
   * The result of `work`; null where the agent was given no memory, or where it did not answer in time.
   * @param kind of the memory that is asked
   * @param without the consequence, as it follows the memory's name in a sentence: `does not hold the manifest`
   * @throws anything but an AgentError, unless the time was over: it is a mistake in `work`
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
