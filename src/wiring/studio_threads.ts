import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointTuple,
  MemorySaver,
} from "@langchain/langgraph";
import { DatabaseError } from "pg";

type ListOptions = NonNullable<Parameters<BaseCheckpointSaver["list"]>[1]>;
type Writes = Parameters<BaseCheckpointSaver["putWrites"]>[1];
type Reader = Pick<BaseCheckpointSaver, "getTuple" | "list">;

/**
 * A development server's own checkpoints over those of production, which are only read: a production thread can be
 * opened and looked through, and whatever is replayed or forked from it is the development server's alone.
 */
export class StudioThreads extends BaseCheckpointSaver {
  readonly #production: () => Promise<Reader>;
  #own: BaseCheckpointSaver = new MemorySaver();

  constructor(production: () => Promise<Reader>) {
    super();
    this.#production = production;
  }

  /** Sets the checkpointer that the development server keeps its own threads in. */
  keepIn(saver: BaseCheckpointSaver): void {
    this.#own = saver;
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const own = await this.#own.getTuple(config);
    if (own !== undefined) return own;
    try {
      return await (await this.#production()).getTuple(config);
    } catch (error) {
      if (isNoTable(error)) return undefined;
      throw error;
    }
  }

  /** Newest first: what was replayed or forked here is younger than what it came from. */
  async *list(config: RunnableConfig, options: ListOptions = {}): AsyncGenerator<CheckpointTuple> {
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for await (const tuple of this.#own.list(config, options)) {
      left -= 1;
      yield tuple;
    }
    if (left <= 0) return;
    try {
      for await (const tuple of (await this.#production()).list(config, options)) {
        if (left <= 0) return;
        left -= 1;
        yield tuple;
      }
    } catch (error) {
      if (!isNoTable(error)) throw error;
    }
  }

  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    versions: Record<string, number | string>,
  ): Promise<RunnableConfig> {
    return this.#own.put(config, checkpoint, metadata, versions);
  }

  async putWrites(config: RunnableConfig, writes: Writes, taskId: string): Promise<void> {
    return this.#own.putWrites(config, writes, taskId);
  }

  async deleteThread(threadId: string): Promise<void> {
    return this.#own.deleteThread(threadId);
  }
}

const UNDEFINED_TABLE = "42P01";

/** The table does not exist: no checkpoint was ever kept there. */
function isNoTable(error: unknown): boolean {
  return error instanceof DatabaseError && error.code === UNDEFINED_TABLE;
}
