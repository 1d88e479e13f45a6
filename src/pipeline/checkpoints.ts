import type { BaseCheckpointSaver } from "@langchain/langgraph";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";

export interface PostgresCheckpoints extends BaseCheckpointSaver {
  /** Makes the tables. Idempotent. */
  setup(): Promise<void>;
  end(): Promise<void>;
}

/**
 * Checkpoints in Postgres, over a pool that outlasts a lost connection. Connects when it is first used; call `setup`
 * once before threads are kept in it, and `end` when it is no longer needed.
 * @throws ConfigurationError when the optional package is not installed, or the URL is none
 */
export async function createCheckpoints(databaseUrl: string): Promise<PostgresCheckpoints> {
  const { createPool } = await import("../database/connection/pool.ts");
  const pool = createPool(databaseUrl);
  try {
    const { PostgresSaver } = await import("@langchain/langgraph-checkpoint-postgres");
    return new PostgresSaver(pool);
  } catch (cause) {
    await pool.end();
    const wayOut = "npm install @langchain/langgraph-checkpoint-postgres";
    throw new ConfigurationError(
      `The package that keeps checkpoints in Postgres is not installed: ${wayOut}.`,
      {
        cause,
      },
    );
  }
}
