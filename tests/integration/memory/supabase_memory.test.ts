import { createClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Embedder } from "../../../src/agents/model_deployer/ports/memory_ports.ts";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../../../src/memory/procedural_memory.ts";
import { createMemoryClient, type MemoryClient } from "../../../src/memory/supabase_client.ts";
import { describeEpisodicMemory } from "../../../src/testing/contracts/memory/episodic_memory_contract.ts";
import {
  callOptions,
  exampleEpisode,
  exampleProcedure,
  uniqueName,
} from "../../../src/testing/contracts/memory/examples.ts";
import { describeProceduralMemory } from "../../../src/testing/contracts/memory/procedural_memory_contract.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../support/services/scratch_database.ts";

let database: ScratchDatabase;
let memory: MemoryClient;

beforeAll(async () => {
  database = await createScratchDatabase(inject("databaseUrl"));
  await migrateMemory(database.url, { signal: AbortSignal.timeout(120_000) });
  memory = createMemoryClient({ databaseUrl: database.url });
});

afterAll(async () => {
  await memory.close();
  await database.drop();
});

describeEpisodicMemory(
  "the development default",
  (agentName) => new SupabaseEpisodicMemory(memory, { agentName }),
);
describeProceduralMemory("the development default", () => new SupabaseProceduralMemory(memory));

/** Letters as directions: texts of the same letters are near. */
const embedder: Embedder = {
  embed: async (text) => {
    const vector = Array.from({ length: 1536 }, () => 0);
    for (const letter of text) {
      const index = letter.charCodeAt(0) % vector.length;
      vector[index] = (vector[index] ?? 0) + 1;
    }
    return vector;
  },
};

describeEpisodicMemory(
  "the development default with an embedder",
  (agentName) => new SupabaseEpisodicMemory(memory, { agentName, embedder }),
);

describe("an embedding", () => {
  const stored = async (key: string) => {
    const [row] = await database.query(
      "select embedding::real[] from episodic_memories where dedupe_key = $1",
      [key],
    );
    return row?.["embedding"];
  };

  it("stands in its column when there is an embedder", async () => {
    const episode = exampleEpisode({ description: "aab" });
    await new SupabaseEpisodicMemory(memory, { embedder }).store(episode, callOptions());
    expect(await stored(episode.dedupe_key)).toEqual(await embedder.embed("aab", callOptions()));
  });

  it("finds what shares no word with the question where vectors are compared, and nothing elsewhere", async () => {
    const [found] = await database.query(
      "select to_regprocedure('public.similar_episodic_memories(real[], integer, text)') is not null as compares",
    );
    const memories = new SupabaseEpisodicMemory(memory, { embedder });
    const episode = exampleEpisode({ description: "qqqqxxxxqqqq" });
    await memories.store(episode, callOptions());
    const nearest = await memories.similar("xxxxqqqqqqqq", { limit: 1 }, callOptions());
    expect(nearest).toEqual(found?.["compares"] === true ? [episode] : []);
  });

  it.each([[[1, 2, 3]], [Array.from({ length: 1536 }, () => NaN)]])(
    "of a wrong form is refused, and nothing is stored",
    async (vector) => {
      const wrong = new SupabaseEpisodicMemory(memory, { embedder: { embed: async () => vector } });
      const episode = exampleEpisode();
      await expect(wrong.store(episode, callOptions())).rejects.toMatchObject({ code: "service_refused" });
      expect(await stored(episode.dedupe_key)).toBeUndefined();
    },
  );
});

describe("the tables", () => {
  it("hold an episode with what the pipeline's other readers look for", async () => {
    const episode = exampleEpisode({
      endpoint_name: uniqueName("endpoint"),
      raw_content: { a: [1, { b: null }] },
    });
    await new SupabaseEpisodicMemory(memory).store(episode, callOptions());
    const rows = await database.query("select * from episodic_memories where dedupe_key = $1", [
      episode.dedupe_key,
    ]);
    expect(rows).toMatchObject([
      {
        event_type: "agent_action",
        event_subtype: "deployment",
        raw_content: { a: [1, { b: null }] },
        agent_name: "model_deployer",
        embedding: null,
        importance_score: 0.5,
        occurred_at: new Date(episode.occurred_at),
      },
    ]);
  });

  it("hold a procedure with its counts, its rate and its time", async () => {
    const procedural = new SupabaseProceduralMemory(memory);
    const procedure = exampleProcedure();
    const newer = { ...procedure, tool_sequence: [{ step: "switch_traffic" }] };
    const use = { dedupe_key: uniqueName("use"), succeeded: true, duration_ms: 10 };
    await procedural.recordUse(procedure, use, callOptions());
    await procedural.recordUse(
      newer,
      { dedupe_key: uniqueName("use"), succeeded: false, duration_ms: 30 },
      callOptions(),
    );
    await procedural.recordUse(procedure, use, callOptions());
    const rows = await database.query("select * from procedural_memories where trigger_pattern = $1", [
      procedure.trigger_pattern,
    ]);
    expect(rows).toMatchObject([
      {
        procedure_name: "gradual_rollout",
        procedure_type: "tool_sequence",
        tool_sequence: [{ step: "switch_traffic" }],
        usage_count: 2,
        success_count: 1,
        success_rate: 0.5,
        avg_execution_time_ms: 20,
        trigger_embedding: null,
      },
    ]);
  });

  it.each(["delete from episodic_memories", "update episodic_memories set description = ''"])(
    "refuse the service role: %s",
    async (statement) => {
      const asService = `do $$ begin set local role service_role; ${statement}; end $$`;
      await expect(database.query(asService)).rejects.toMatchObject({ code: "42501" });
    },
  );

  it.each(["episodic_memories", "procedural_memories", "procedural_memory_uses"])(
    "have row-level security on %s, and no policy for anybody but the service",
    async (table) => {
      const [security] = await database.query(
        "select relrowsecurity from pg_class where oid = $1::regclass",
        [table],
      );
      expect(security).toEqual({ relrowsecurity: true });
      const policies = await database.query(
        "select distinct roles::text from pg_policies where tablename = $1",
        [table],
      );
      expect(policies).toEqual([{ roles: "{service_role}" }]);
    },
  );

  it("leave the rights of other tables in the database alone", async () => {
    await database.query("create table not_a_memory (secret text)");
    await new SupabaseEpisodicMemory(memory).recent({ limit: 1 }, callOptions());
    const rights = await database.query("select relacl from pg_class where oid = 'not_a_memory'::regclass");
    expect(rights).toEqual([{ relacl: null }]);
  });
});

describe("the default", () => {
  it("says what it is", () => {
    expect(memory.kind).toBe("development default");
  });

  it("names the files to run while the tables are missing, and works once they are there", async () => {
    const empty = await createScratchDatabase(inject("databaseUrl"));
    const client = createMemoryClient({ databaseUrl: empty.url });
    try {
      const missing = {
        code: "service_refused",
        details: { files_to_run: "src/memory/migrations" },
      };
      const episodic = new SupabaseEpisodicMemory(client);
      const procedural = new SupabaseProceduralMemory(client);
      await expect(episodic.store(exampleEpisode(), callOptions())).rejects.toMatchObject(missing);
      await expect(
        procedural.recordUse(
          exampleProcedure(),
          { dedupe_key: "use", succeeded: true, duration_ms: 1 },
          callOptions(),
        ),
      ).rejects.toMatchObject(missing);
      await migrateMemory(empty.url, { signal: AbortSignal.timeout(120_000) });
      await episodic.store(exampleEpisode(), callOptions());
      expect(await procedural.experience("any", callOptions())).toEqual({ usage_count: 0, success_count: 0 });
    } finally {
      await client.close();
      await empty.drop();
    }
  });

  it("can be closed twice, and unused", async () => {
    const unused = createMemoryClient({ databaseUrl: database.url });
    await unused.close();
    const used = createMemoryClient({ databaseUrl: database.url });
    await new SupabaseProceduralMemory(used).experience("any", callOptions());
    await used.close();
    await used.close();
  });
});

const { SUPABASE_URL, SUPABASE_KEY } = process.env;
describe.skipIf(SUPABASE_URL === undefined || SUPABASE_URL === "")("the Supabase at SUPABASE_URL", () => {
  const settings = { supabaseUrl: SUPABASE_URL, supabaseKey: SUPABASE_KEY, databaseUrl: "" };
  const project = () => createMemoryClient(settings);
  describeEpisodicMemory("Supabase", (agentName) => new SupabaseEpisodicMemory(project(), { agentName }));
  describeProceduralMemory("Supabase", () => new SupabaseProceduralMemory(project()));

  it("shows nothing to a caller without the key", async () => {
    const outsider = createClient(SUPABASE_URL ?? "", "no-key", { auth: { persistSession: false } });
    const { data, error } = await outsider.from("episodic_memories").select("dedupe_key").limit(1);
    expect(data ?? []).toEqual([]);
    expect(error).not.toBeNull();
  });
});
