import { describe, expect, it } from "vitest";
import { FakeEpisodicMemory, FakeProceduralMemory, FakeWorkingMemory } from "../../fakes/memory.ts";
import { episodicMemoryContract } from "./episodic_memory.contract.ts";
import { callOptions, exampleEpisode, newSessionId } from "./examples.ts";
import { proceduralMemoryContract } from "./procedural_memory.contract.ts";
import { workingMemoryContract } from "./working_memory.contract.ts";

workingMemoryContract("the fake", () => new FakeWorkingMemory());
episodicMemoryContract("the fake", () => new FakeEpisodicMemory());
proceduralMemoryContract("the fake", () => new FakeProceduralMemory());

describe("a fake that is down", () => {
  it("fails as an unreachable service does, and works again when it is up", async () => {
    const episodic = new FakeEpisodicMemory();
    episodic.down();
    const stored = episodic.store(exampleEpisode(), callOptions());
    await expect(stored).rejects.toMatchObject({ code: "service_unavailable", service: "supabase" });
    episodic.up();
    await episodic.store(exampleEpisode(), callOptions());
    expect(episodic.episodes).toHaveLength(1);
  });

  it("names the service", async () => {
    const [working, procedural] = [new FakeWorkingMemory(), new FakeProceduralMemory()];
    working.down();
    procedural.down();
    const recalled = working.recallManifest(newSessionId(), callOptions());
    await expect(recalled).rejects.toMatchObject({ service: "redis" });
    await expect(procedural.experience("any", callOptions())).rejects.toMatchObject({ service: "supabase" });
  });
});
