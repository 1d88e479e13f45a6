import { describe, expect, it } from "vitest";
import {
  InMemoryEpisodicMemory,
  InMemoryProceduralMemory,
  InMemoryWorkingMemory,
} from "../../../src/testing/in_memory/memories.ts";
import { describeEpisodicMemory } from "../../../src/testing/contracts/memory/episodic_memory_contract.ts";
import { callOptions, exampleEpisode, newSessionId } from "../../../src/testing/contracts/memory/examples.ts";
import { describeProceduralMemory } from "../../../src/testing/contracts/memory/procedural_memory_contract.ts";
import { describeWorkingMemory } from "../../../src/testing/contracts/memory/working_memory_contract.ts";

describeWorkingMemory("in memory", () => new InMemoryWorkingMemory());
const service = new InMemoryEpisodicMemory();
describeEpisodicMemory(
  "in memory",
  (agentName) => new InMemoryEpisodicMemory({ agentName, beside: service }),
);
describeProceduralMemory("in memory", () => new InMemoryProceduralMemory());

describe("a memory that is down", () => {
  it("fails as an unreachable service does, and works again when it is up", async () => {
    const episodic = new InMemoryEpisodicMemory();
    episodic.down();
    const stored = episodic.store(exampleEpisode(), callOptions());
    await expect(stored).rejects.toMatchObject({ code: "service_unavailable", service: "supabase" });
    episodic.up();
    await episodic.store(exampleEpisode(), callOptions());
    expect(episodic.episodes).toHaveLength(1);
  });

  it("names the service", async () => {
    const [working, procedural] = [new InMemoryWorkingMemory(), new InMemoryProceduralMemory()];
    working.down();
    procedural.down();
    const recalled = working.recallManifest(newSessionId(), callOptions());
    await expect(recalled).rejects.toMatchObject({ service: "redis" });
    await expect(procedural.experience("any", callOptions())).rejects.toMatchObject({ service: "supabase" });
  });
});
