import { z } from "zod";
import { episodeSchema } from "../agents/model_deployer/domain/episode.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { Embedder, EpisodicMemory } from "../agents/model_deployer/ports/memory_ports.ts";
import type { Episode } from "../agents/model_deployer/domain/episode.ts";
import { InvalidRequestError, ServiceRefusedError } from "../agents/model_deployer/errors.ts";
import { embed } from "./embedding.ts";
import { callSupabase } from "./supabase_call.ts";
import type { MemoryClient } from "./supabase_client.ts";

/** The most episodes that one call reads, whatever `limit` says. */
export const MAX_EPISODES = 200;

/** A row of the shared table as this agent writes it; other agents' rows have other kinds of event and are not read. */
const rowSchema = episodeSchema.extend({
  // PostgREST writes `+00:00`, other servers of its API Postgres' own form; both name one instant.
  occurred_at: z.string().transform((text, context) => {
    const instant = new Date(text.replace(/([+-]\d\d)$/, "$1:00"));
    if (!Number.isNaN(instant.getTime())) return instant.toISOString();
    context.addIssue({ code: "custom", message: `${JSON.stringify(text)} is no instant` });
    return z.NEVER;
  }),
});

const columns = Object.keys(rowSchema.shape).join(",");

export interface EpisodicMemoryOptions {
  /** The agent whose episodes are written and read, by its name in the pipeline; `model_deployer` unless given. */
  agentName?: string | undefined;
  /** Without one the column `embedding` stays null. */
  embedder?: Embedder | undefined;
}

/**
 * One agent's episodes in the table `episodic_memories`, which all agents of the pipeline share. Instants come back in
 * UTC with milliseconds.
 *
 * @throws ServiceUnavailableError when the service does not answer
 * @throws ServiceRefusedError when it refuses: a field of more than 256 KiB, a NUL character, a missing table
 */
export class SupabaseEpisodicMemory implements EpisodicMemory {
  readonly #memory: MemoryClient;
  readonly #agentName: string;
  readonly #embedder: Embedder | null;

  constructor(memory: MemoryClient, options: EpisodicMemoryOptions = {}) {
    this.#memory = memory;
    this.#agentName = options.agentName ?? "model_deployer";
    this.#embedder = options.embedder ?? null;
  }

  async store(episode: Episode, options: CallOptions): Promise<void> {
    const client = await this.#memory.client();
    const row: Record<string, unknown> = { ...episode, agent_name: this.#agentName };
    if (this.#embedder !== null) row["embedding"] = await embed(this.#embedder, episode.description, options);
    await callSupabase(this.#memory.circuit, "store an episode", options.signal, (signal) =>
      client
        .from("episodic_memories")
        .upsert(row, { onConflict: "agent_name,dedupe_key", ignoreDuplicates: true })
        .abortSignal(signal),
    );
  }

  /** `text` is matched like a web search, by word stems, over description, names and outcome. */
  async recent(
    filter: { endpoint_name?: string; experiment_id?: string; text?: string; limit: number },
    options: CallOptions,
  ): Promise<Episode[]> {
    const limit = checkedLimit(filter.limit);
    const client = await this.#memory.client();
    let query = client
      .from("episodic_memories")
      .select(columns)
      .eq("agent_name", this.#agentName)
      .eq("event_type", "agent_action");
    if (filter.endpoint_name !== undefined) query = query.eq("endpoint_name", filter.endpoint_name);
    if (filter.experiment_id !== undefined) query = query.eq("experiment_id", filter.experiment_id);
    if (filter.text !== undefined) {
      query = query.textSearch("search_text", filter.text, { type: "websearch", config: "english" });
    }
    const newest = query
      .order("occurred_at", { ascending: false })
      .order("memory_id", { ascending: false })
      .limit(limit);
    const rows = await callSupabase(this.#memory.circuit, "read episodes", options.signal, (signal) =>
      newest.abortSignal(signal).retry(false),
    );
    return parseEpisodes(rows);
  }

  async similar(text: string, filter: { limit: number }, options: CallOptions): Promise<Episode[]> {
    const limit = checkedLimit(filter.limit);
    if (this.#embedder === null) return this.recent({ text, limit }, options);
    const wanted = await embed(this.#embedder, text, options);
    const client = await this.#memory.client();
    try {
      const rows = await callSupabase(
        this.#memory.circuit,
        "read similar episodes",
        options.signal,
        (signal) =>
          client
            .rpc("similar_episodic_memories", { wanted, how_many: limit, of_agent: this.#agentName })
            .select(columns)
            .abortSignal(signal),
      );
      return parseEpisodes(rows);
    } catch (error) {
      if (!isMissing(error)) throw error;
      return this.recent({ text, limit }, options);
    }
  }
}

function parseEpisodes(rows: unknown): Episode[] {
  const parsed = z.array(rowSchema).safeParse(rows);
  if (parsed.success) return parsed.data;
  throw new ServiceRefusedError("supabase", `episodes came in no known form: ${parsed.error.message}`, {
    cause: parsed.error,
  });
}

/** The function is there only where the database compares vectors. */
function isMissing(error: unknown): boolean {
  return error instanceof ServiceRefusedError && error.details["status"] === 404;
}

function checkedLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1) return Math.min(limit, MAX_EPISODES);
  throw new InvalidRequestError(`limit is ${limit}: ask for 1 to ${MAX_EPISODES} episodes`);
}
