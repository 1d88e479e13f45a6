import { z } from "zod";
import { episodeSchema } from "../agents/model_deployer/domain/episode.ts";
import type { CallOptions, Embedder, Episode, EpisodicMemory } from "../agents/model_deployer/ports.ts";
import { InvalidRequestError, ServiceRefusedError } from "../agents/model_deployer/errors.ts";
import { embed } from "./embedding.ts";
import { callSupabase } from "./supabase_call.ts";
import type { MemoryClient } from "./supabase_client.ts";

/** More episodes than this are not read at once, whatever `limit` says. */
export const MAX_EPISODES = 200;

/** Rows of other agents, whose kinds of event are others, stand in the same table and are not read. */
const rowSchema = episodeSchema.extend({
  // PostgREST writes `+00:00`, its stand-in Postgres' own form; both name one instant.
  occurred_at: z.string().transform((text, context) => {
    const instant = new Date(text.replace(/([+-]\d\d)$/, "$1:00"));
    if (!Number.isNaN(instant.getTime())) return instant.toISOString();
    context.addIssue({ code: "custom", message: `${JSON.stringify(text)} is no instant` });
    return z.NEVER;
  }),
});

const columns = Object.keys(rowSchema.shape).join(",");

export interface EpisodicMemoryOptions {
  /** Whose episodes are written and read, by the name that the pipeline knows the agent by; `model_deployer` unless given. */
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
    const embedding =
      this.#embedder === null ? null : await embed(this.#embedder, episode.description, options);
    const row = { ...episode, agent_name: this.#agentName };
    const upsert = (columns: Record<string, unknown>) =>
      callSupabase(this.#memory.circuit, "store an episode", options.signal, (signal) =>
        client
          .from("episodic_memories")
          .upsert({ ...row, ...columns }, { onConflict: "agent_name,dedupe_key", ignoreDuplicates: true })
          .abortSignal(signal),
      );
    if (embedding === null) return void (await upsert({}));
    await upsert({ embedding }).catch(async (error: unknown) => {
      if (!wantsText(error)) throw error;
      await upsert({ embedding: JSON.stringify(embedding) });
    });
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

/** PostgREST takes a list for either type of the column; its stand-in writes one that pgvector takes only as text. */
function wantsText(error: unknown): boolean {
  return error instanceof ServiceRefusedError && error.details["sql_state"] === "22P02";
}

/** The function is there only where the database compares vectors. */
function isMissing(error: unknown): boolean {
  return error instanceof ServiceRefusedError && error.details["status"] === 404;
}

function checkedLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1) return Math.min(limit, MAX_EPISODES);
  throw new InvalidRequestError(`limit is ${limit}: ask for 1 to ${MAX_EPISODES} episodes`);
}
