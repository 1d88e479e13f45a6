import { z } from "zod";
import { episodeSchema } from "../agents/model_deployer/domain/episode.ts";
import type { CallOptions, Episode, EpisodicMemory } from "../agents/model_deployer/ports.ts";
import { InvalidRequestError, ServiceRefusedError } from "../agents/model_deployer/errors.ts";
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

/**
 * Episodes in the table `episodic_memories`. Instants come back in UTC with milliseconds.
 *
 * @throws ServiceUnavailableError when the service does not answer
 * @throws ServiceRefusedError when it refuses: a field of more than 256 KiB, a NUL character, a missing table
 */
export class SupabaseEpisodicMemory implements EpisodicMemory {
  readonly #memory: MemoryClient;

  constructor(memory: MemoryClient) {
    this.#memory = memory;
  }

  async store(episode: Episode, options: CallOptions): Promise<void> {
    const client = await this.#memory.client();
    const row = { ...episode, agent_name: "model_deployer" };
    await callSupabase(this.#memory.circuit, "store an episode", options.signal, (signal) =>
      client
        .from("episodic_memories")
        .upsert(row, { onConflict: "dedupe_key", ignoreDuplicates: true })
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
      .eq("agent_name", "model_deployer")
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
    const parsed = z.array(rowSchema).safeParse(rows);
    if (parsed.success) return parsed.data;
    throw new ServiceRefusedError("supabase", `episodes came in no known form: ${parsed.error.message}`, {
      cause: parsed.error,
    });
  }
}

function checkedLimit(limit: number): number {
  if (Number.isInteger(limit) && limit >= 1) return Math.min(limit, MAX_EPISODES);
  throw new InvalidRequestError(`limit is ${limit}: ask for 1 to ${MAX_EPISODES} episodes`);
}
