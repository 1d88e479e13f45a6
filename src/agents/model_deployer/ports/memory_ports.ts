import type { CallOptions } from "./call_options.ts";
import type { Episode } from "../domain/episode.ts";

export interface WorkingMemory {
  /** Both raise ServiceUnavailableError, which the agent answers as degraded. */
  rememberManifest(sessionId: string, manifest: Record<string, unknown>, options: CallOptions): Promise<void>;
  recallManifest(sessionId: string, options: CallOptions): Promise<Record<string, unknown> | null>;
}

export interface EpisodicMemory {
  /** Idempotent by `dedupe_key`. */
  store(episode: Episode, options: CallOptions): Promise<void>;
  /** Newest first. */
  recent(
    filter: { endpoint_name?: string; experiment_id?: string; text?: string; limit: number },
    options: CallOptions,
  ): Promise<Episode[]>;
  /**
   * The nearest in meaning first, where there is an embedder and a database that compares vectors; elsewhere as `recent`
   * with this text.
   */
  similar(text: string, filter: { limit: number }, options: CallOptions): Promise<Episode[]>;
}

export interface Embedder {
  /** The text as 1536 finite numbers, the width of the pipeline's columns. @throws ServiceRefusedError */
  embed(text: string, options: CallOptions): Promise<number[]>;
}

export interface Procedure {
  procedure_name: string;
  procedure_type: "tool_sequence" | "error_recovery";
  tool_sequence: Record<string, unknown>[];
  trigger_pattern: string;
}

export interface ProceduralMemory {
  /** Counts one use of the procedure, once for each `dedupe_key`. */
  recordUse(
    procedure: Procedure,
    use: { dedupe_key: string; succeeded: boolean; duration_ms: number },
    options: CallOptions,
  ): Promise<void>;
  /** How often procedures with this trigger ran and worked. */
  experience(
    triggerPattern: string,
    options: CallOptions,
  ): Promise<{ usage_count: number; success_count: number }>;
}
