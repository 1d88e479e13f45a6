import { z } from "zod";
import { AgentError } from "../../../base/agent_error.ts";
import { withoutCredentials } from "../../../base/credentials.ts";
import { publishDegraded } from "../../../base/diagnostics.ts";
import { episodeSchema } from "../../domain/episode.ts";
import type { Parts } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import type { OutboxEntry } from "../../ports/stores/operation_stores.ts";
import type { RegistryManager } from "../../effects/registry_manager.ts";

const projectionSchema = z.strictObject({ model_version_id: z.string() });

const procedureUseSchema = z.strictObject({
  procedure: z.strictObject({
    procedure_name: z.string(),
    procedure_type: z.enum(["tool_sequence", "error_recovery"]),
    tool_sequence: z.array(z.record(z.string(), z.unknown())),
    trigger_pattern: z.string(),
  }),
  use: z.strictObject({ dedupe_key: z.string(), succeeded: z.boolean() }),
  duration_ms: z.int().min(0).default(0),
});

/** Delivers the outbox to the registry and the memories: at least once, counted once. */
export class OutboxDelivery {
  readonly #parts: Parts;
  readonly #registryManager: RegistryManager;

  constructor(parts: Parts, registryManager: RegistryManager) {
    this.#parts = parts;
    this.#registryManager = registryManager;
  }

  /**
   * Delivers the entries that are due; a failed one is tried again later.
   * @returns a sentence for each part that did not accept its entries
   */
  async deliver(limit: number, options: CallOptions): Promise<string[]> {
    const entries = await this.#parts.database.outbox.claim(limit);
    const byTopic = Object.values(Object.groupBy(entries, ({ topic }) => topic));
    return (await Promise.all(byTopic.map((list) => this.#deliverInOrder(list, options)))).flat();
  }

  /** Entries of one topic may concern one another: two versions' aliases, say. */
  async #deliverInOrder(entries: readonly OutboxEntry[], options: CallOptions): Promise<string[]> {
    const { outbox } = this.#parts.database;
    const degraded = new Set<string>();
    for (const entry of entries) {
      try {
        await this.#deliverOne(entry, options);
        await outbox.delivered(entry.entry_id);
      } catch (error) {
        if (!(error instanceof AgentError) && !options.signal.aborted) throw error;
        const reason = withoutCredentials(error instanceof Error ? error.message : String(error));
        const message = `${entry.topic.replaceAll("_", " ")} is caught up later: ${reason}`;
        publishDegraded({ part: entry.topic, message });
        degraded.add(message);
        if (!(await this.#isNotedAsFailed(entry, reason))) break;
      }
    }
    return [...degraded];
  }

  /** An entry whose failure could not be recorded is due again after its claim. */
  async #isNotedAsFailed({ entry_id }: OutboxEntry, reason: string): Promise<boolean> {
    try {
      await this.#parts.database.outbox.failed(entry_id, reason);
      return true;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return false;
    }
  }

  async #deliverOne(entry: OutboxEntry, options: CallOptions): Promise<void> {
    switch (entry.topic) {
      case "registry_projection":
        return this.#registryManager.projectStage(
          projectionSchema.parse(entry.payload).model_version_id,
          options,
        );
      case "episodic_memory":
        return this.#parts.episodicMemory.store(episodeSchema.parse(entry.payload), options);
      case "procedural_memory": {
        const { procedure, use, duration_ms } = procedureUseSchema.parse(entry.payload);
        return this.#parts.proceduralMemory.recordUse(procedure, { ...use, duration_ms }, options);
      }
      default:
        return entry.topic satisfies never;
    }
  }
}
