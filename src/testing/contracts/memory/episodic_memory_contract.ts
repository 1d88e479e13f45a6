import { describe, expect, it } from "vitest";
import type { EpisodicMemory } from "../../../agents/model_deployer/ports/memory_ports.ts";
import { callOptions, exampleEpisode, uniqueName } from "./examples.ts";

/**
 * The contract of episodic memory.
 * @param open gives the named agent's memory, `model_deployer`'s without a name; all memories that it gives share one
 * service
 */
export function describeEpisodicMemory(name: string, open: (agentName?: string) => EpisodicMemory): void {
  describe(`${name} as episodic memory`, () => {
    describeStoredEpisodes(open);
    describeReadEpisodes(open);
    describeFoundEpisodes(open);
    describeRefusedCalls(open);
  });
}

function describeStoredEpisodes(open: (agentName?: string) => EpisodicMemory): void {
  it("gives an episode back as it was stored", async () => {
    const memory = open();
    const episode = exampleEpisode({
      event_subtype: "rollback",
      description: `Rolled back "v3"; 5 % errors, it's été`,
      experiment_id: uniqueName("exp"),
      endpoint_name: uniqueName("endpoint"),
      outcome_type: "partial_success",
      outcome_details: { reason: "errors", numbers: [0.05, 1000], nested: { at: null } },
    });
    await memory.store(episode, callOptions());
    const filter = { endpoint_name: episode.endpoint_name ?? "", limit: 10 };
    expect(await memory.recent(filter, callOptions())).toEqual([episode]);
  });

  it("gives instants back in UTC", async () => {
    const memory = open();
    const endpoint_name = uniqueName("endpoint");
    await memory.store(
      exampleEpisode({ endpoint_name, occurred_at: "2026-11-01T00:30:00.25+02:00" }),
      callOptions(),
    );
    const [episode] = await memory.recent({ endpoint_name, limit: 1 }, callOptions());
    expect(episode?.occurred_at).toBe("2026-10-31T22:30:00.250Z");
  });

  it("stores an episode once for its dedupe key", async () => {
    const memory = open();
    const endpoint_name = uniqueName("endpoint");
    const first = exampleEpisode({ endpoint_name });
    await memory.store(first, callOptions());
    await memory.store({ ...first, description: "told again" }, callOptions());
    expect(await memory.recent({ endpoint_name, limit: 10 }, callOptions())).toEqual([first]);
  });

  it("stores one of many equal episodes that arrive together", async () => {
    const memory = open();
    const endpoint_name = uniqueName("endpoint");
    const episode = exampleEpisode({ endpoint_name });
    await Promise.all(Array.from({ length: 8 }, () => memory.store(episode, callOptions())));
    expect(await memory.recent({ endpoint_name, limit: 10 }, callOptions())).toHaveLength(1);
  });

  it("keeps an agent's episodes apart from another's, under the same dedupe key too", async () => {
    const [ours, theirs] = [open(), open("drift_monitor")];
    const word = uniqueName("word");
    const episode = exampleEpisode({
      endpoint_name: uniqueName("endpoint"),
      description: `The ${word} rose`,
    });
    const other = { ...episode, description: `The ${word} fell` };
    await ours.store(episode, callOptions());
    await theirs.store(other, callOptions());
    const filter = { endpoint_name: episode.endpoint_name ?? "", limit: 10 };
    expect(await ours.recent(filter, callOptions())).toEqual([episode]);
    expect(await theirs.recent(filter, callOptions())).toEqual([other]);
    expect(await ours.similar(word, { limit: 1 }, callOptions())).toEqual([episode]);
    expect(await theirs.similar(word, { limit: 1 }, callOptions())).toEqual([other]);
  });
}

function describeReadEpisodes(open: (agentName?: string) => EpisodicMemory): void {
  it("reads the newest first and no more than asked for", async () => {
    const memory = open();
    const endpoint_name = uniqueName("endpoint");
    for (const [hour, description] of [
      ["09", "b"],
      ["11", "d"],
      ["08", "a"],
      ["10", "c"],
    ] as const) {
      const occurred_at = `2026-11-01T${hour}:00:00.000Z`;
      await memory.store(exampleEpisode({ endpoint_name, description, occurred_at }), callOptions());
    }
    const episodes = await memory.recent({ endpoint_name, limit: 3 }, callOptions());
    expect(episodes.map((episode) => episode.description)).toEqual(["d", "c", "b"]);
  });

  it("of episodes at one instant reads the one stored last first", async () => {
    const memory = open();
    const endpoint_name = uniqueName("endpoint");
    for (const description of ["first", "second", "third"]) {
      await memory.store(exampleEpisode({ endpoint_name, description }), callOptions());
    }
    const episodes = await memory.recent({ endpoint_name, limit: 3 }, callOptions());
    expect(episodes.map((episode) => episode.description)).toEqual(["third", "second", "first"]);
  });

  it("recalls what is similar, with or without an embedder: at least by its words", async () => {
    const memory = open();
    const word = uniqueName("word");
    const episode = exampleEpisode({ description: `The ${word} failed its callers` });
    await memory.store(episode, callOptions());
    await memory.store(exampleEpisode(), callOptions());
    const [nearest] = await memory.similar(episode.description, { limit: 1 }, callOptions());
    expect(nearest).toEqual(episode);
    await expect(memory.similar(word, { limit: 0 }, callOptions())).rejects.toMatchObject({
      code: "invalid_request",
    });
  });
}

function describeFoundEpisodes(open: (agentName?: string) => EpisodicMemory): void {
  it("finds episodes by experiment, endpoint and words, alone and together", async () => {
    const memory = open();
    const experiment_id = uniqueName("exp");
    const [one, other] = [uniqueName("endpoint"), uniqueName("endpoint")];
    const rollback = exampleEpisode({
      experiment_id,
      endpoint_name: one,
      event_subtype: "rollback",
      description: "Rolled traffic back to version 2",
      outcome_details: { reason: "latency exceeded its band" },
    });
    const elsewhere = exampleEpisode({ experiment_id, endpoint_name: other, description: "Moved traffic" });
    await memory.store(rollback, callOptions());
    await memory.store(elsewhere, callOptions());
    const found = async (filter: { endpoint_name?: string; text?: string }) => {
      const episodes = await memory.recent({ experiment_id, limit: 10, ...filter }, callOptions());
      return episodes.map((episode) => episode.dedupe_key).sort();
    };
    expect(await found({})).toEqual([rollback.dedupe_key, elsewhere.dedupe_key].sort());
    expect(await found({ endpoint_name: other })).toEqual([elsewhere.dedupe_key]);
    expect(await found({ text: "rolling versions" })).toEqual([rollback.dedupe_key]);
    expect(await found({ text: "traffic" })).toHaveLength(2);
    expect(await found({ text: "latency bands" })).toEqual([rollback.dedupe_key]);
    expect(await found({ endpoint_name: other, text: "latency" })).toEqual([]);
    expect(await found({ endpoint_name: uniqueName("endpoint") })).toEqual([]);
  });

  it.each(["a.b,c)(d", `"quoted`, "100%&x=y", "it's"])("takes %j as names and words only", async (odd) => {
    const memory = open();
    const episode = exampleEpisode({ endpoint_name: uniqueName(odd), experiment_id: odd });
    await memory.store(episode, callOptions());
    const filter = { endpoint_name: episode.endpoint_name ?? "", experiment_id: odd, limit: 5 };
    expect(await memory.recent(filter, callOptions())).toEqual([episode]);
    await memory.recent({ text: odd, limit: 1 }, callOptions());
  });
}

function describeRefusedCalls(open: (agentName?: string) => EpisodicMemory): void {
  it.each([
    { description: "a\u0000b" },
    { raw_content: { note: "a\u0000b" } },
    { raw_content: { note: "x".repeat(300_000) } },
    { dedupe_key: "" },
  ])("refuses what the table cannot hold", async (changes) => {
    const memory = open();
    const endpoint_name = uniqueName("endpoint");
    const stored = memory.store(exampleEpisode({ endpoint_name, ...changes }), callOptions());
    await expect(stored).rejects.toMatchObject({ code: "service_refused" });
    expect(await memory.recent({ endpoint_name, limit: 1 }, callOptions())).toEqual([]);
  });

  it.each([0, -1, 1.5, NaN])("refuses to read %d episodes", async (limit) => {
    await expect(open().recent({ limit }, callOptions())).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("does not answer a caller whose deadline has passed", async () => {
    const signal = AbortSignal.abort();
    const expected = { code: "service_unavailable" };
    await expect(open().store(exampleEpisode(), { signal })).rejects.toMatchObject(expected);
    await expect(open().recent({ limit: 1 }, { signal })).rejects.toMatchObject(expected);
  });
}
