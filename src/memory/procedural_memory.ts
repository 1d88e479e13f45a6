import { z } from "zod";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { ProceduralMemory, Procedure } from "../agents/model_deployer/ports/memory_ports.ts";
import { ServiceRefusedError } from "../agents/model_deployer/errors.ts";
import { callSupabase } from "./supabase_call.ts";
import type { MemoryClient } from "./supabase_client.ts";

/** PostgREST answers with at most this many rows; a trigger has a handful of procedures. */
const MAX_PROCEDURES = 1_000;

const countsSchema = z.array(z.object({ usage_count: z.int().min(0), success_count: z.int().min(0) }));

/**
 * Procedures in `procedural_memories`, known by trigger, name and type, each use of them in `procedural_memory_uses`.
 *
 * @throws ServiceUnavailableError when the service does not answer
 * @throws ServiceRefusedError when it refuses: a tool sequence of more than 256 KiB, a missing table
 */
export class SupabaseProceduralMemory implements ProceduralMemory {
  readonly #memory: MemoryClient;

  constructor(memory: MemoryClient) {
    this.#memory = memory;
  }

  async recordUse(
    procedure: Procedure,
    use: { dedupe_key: string; succeeded: boolean; duration_ms: number },
    options: CallOptions,
  ): Promise<void> {
    const client = await this.#memory.client();
    const counted = await callSupabase(
      this.#memory.circuit,
      "record the use of a procedure",
      options.signal,
      (signal) =>
        client
          .rpc("record_procedural_memory_use", {
            used_name: procedure.procedure_name,
            used_type: procedure.procedure_type,
            used_tool_sequence: procedure.tool_sequence,
            used_trigger_pattern: procedure.trigger_pattern,
            used_dedupe_key: use.dedupe_key,
            used_succeeded: use.succeeded,
            used_duration_ms: use.duration_ms,
          })
          .abortSignal(signal),
    );
    if (typeof counted === "boolean") return;
    throw new ServiceRefusedError(
      "supabase",
      `record_procedural_memory_use answered ${JSON.stringify(counted)} instead of whether the use was new`,
    );
  }

  async experience(
    triggerPattern: string,
    options: CallOptions,
  ): Promise<{ usage_count: number; success_count: number }> {
    const client = await this.#memory.client();
    const rows = await callSupabase(this.#memory.circuit, "read procedures", options.signal, (signal) =>
      client
        .from("procedural_memories")
        .select("usage_count,success_count")
        .eq("trigger_pattern", triggerPattern)
        .order("usage_count", { ascending: false })
        .limit(MAX_PROCEDURES)
        .abortSignal(signal)
        .retry(false),
    );
    const parsed = countsSchema.safeParse(rows);
    if (!parsed.success) {
      throw new ServiceRefusedError("supabase", `procedures came in no known form: ${parsed.error.message}`, {
        cause: parsed.error,
      });
    }
    return {
      usage_count: parsed.data.reduce((sum, row) => sum + row.usage_count, 0),
      success_count: parsed.data.reduce((sum, row) => sum + row.success_count, 0),
    };
  }
}
