import type { Configuration } from "./settings/configuration.ts";
import { SupabaseEpisodicMemory } from "../memory/episodic_memory.ts";
import { migrateMemory } from "../memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../memory/procedural_memory.ts";
import { createMemoryClient } from "../memory/supabase_client.ts";
import { RedisWorkingMemory } from "../memory/working_memory.ts";
import type { Embedder, EpisodicMemory } from "../agents/model_deployer/ports/memory_ports.ts";
import type { Parts } from "../agents/model_deployer/ports/parts.ts";

type MemoryPorts = Pick<Parts, "workingMemory" | "episodicMemory" | "proceduralMemory">;

export async function createMemories(
  { supabaseUrl, supabaseKey }: Configuration,
  {
    databaseUrl,
    databaseOwnerUrl,
    redisUrl,
  }: { databaseUrl: string; databaseOwnerUrl: string; redisUrl: string },
  { embedder }: { embedder?: Embedder },
): Promise<{
  ports: MemoryPorts;
  episodicMemoryOf(agentName: string): EpisodicMemory;
  close(): Promise<void>;
}> {
  if (supabaseUrl === null) await migrateMemory(databaseOwnerUrl, { signal: AbortSignal.timeout(30_000) });
  const client = createMemoryClient({
    databaseUrl,
    supabaseUrl: supabaseUrl ?? undefined,
    supabaseKey: supabaseKey ?? undefined,
  });
  const workingMemory = new RedisWorkingMemory({ redisUrl });
  const ports = {
    workingMemory,
    episodicMemory: new SupabaseEpisodicMemory(client, { embedder }),
    proceduralMemory: new SupabaseProceduralMemory(client),
  };
  return {
    ports,
    episodicMemoryOf: (agentName) => new SupabaseEpisodicMemory(client, { agentName, embedder }),
    close: async () => {
      await workingMemory.close();
      await client.close();
    },
  };
}
