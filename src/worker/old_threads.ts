import type { OldRows, PrunableRows } from "../keeping/prunable_store.ts";
import { rolloutThread } from "./rollouts/rollout_thread.ts";

/** A database of checkpoints, as far as old threads are concerned. */
export interface Threads {
  /** Of these threads, those that it holds. */
  among(threads: readonly string[]): Promise<string[]>;
  delete(thread: string): Promise<void>;
}

/** The threads of rollouts that have ended; those of a pipeline are its own. */
export class OldThreads implements PrunableRows {
  readonly #threads: Threads;
  readonly #endedRollouts: (before: string) => Promise<string[]>;

  constructor(threads: Threads, endedRollouts: (before: string) => Promise<string[]>) {
    this.#threads = threads;
    this.#endedRollouts = endedRollouts;
  }

  async count(before: string): Promise<OldRows[]> {
    const found = await this.#found(before);
    return [{ name: "threads", rows: found.length, bytes: null }];
  }

  async remove(before: string): Promise<OldRows[]> {
    const found = await this.#found(before);
    for (const thread of found) await this.#threads.delete(thread);
    return [{ name: "threads", rows: found.length, bytes: null }];
  }

  async #found(before: string): Promise<string[]> {
    const threads = (await this.#endedRollouts(before)).map(rolloutThread);
    return threads.length === 0 ? [] : this.#threads.among(threads);
  }
}
