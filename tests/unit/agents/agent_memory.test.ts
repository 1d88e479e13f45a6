import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { expect, onTestFinished, test } from "vitest";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { type AgentRun, type AgentUpdate, BaseAgent } from "../../../src/agents/base/base_agent.ts";
import { DEGRADED } from "../../../src/agents/base/diagnostics.ts";
import type { MemorySource } from "../../../src/agents/base/memory.ts";

class Forgotten extends AgentError {
  readonly code = "forgotten";
  readonly retryable = true;
}

interface Diary {
  read(signal: AbortSignal): Promise<string>;
}
interface Remembering {
  diary: Diary;
}
interface Update extends AgentUpdate {
  remembered: string | null;
}

/** Remembers what it can; with `fails` it raises an error of its own afterwards. */
class Walker extends BaseAgent<{ fails: boolean }, Update, Remembering> {
  readonly agent_name = "walker";
  readonly tier = 2;
  readonly tier_name = "outdoors";
  readonly agent_type = "standard";
  readonly sla_seconds = 5;

  protected pick(state: Record<string, unknown>) {
    return { fails: state["fails"] === true };
  }

  protected async run({ fails }: { fails: boolean }, { memory }: AgentRun<Remembering>): Promise<Update> {
    const remembered = await memory.use(
      "episodic_memory",
      "does not tell of earlier walks",
      ({ diary }, { signal }) => diary.read(signal),
    );
    if (fails) throw new Forgotten("lost");
    return { status: "completed", remembered, warnings: ["It rains."] };
  }
}

const walker = (memory?: MemorySource<Remembering>) => new Walker(memory);
const diary = (read: Diary["read"]): Remembering => ({ diary: { read } });
const away = diary(() => Promise.reject(new Forgotten("the diary is at home")));
const sentence = "episodic memory does not tell of earlier walks: the diary is at home";

function listen(): unknown[] {
  const told: unknown[] = [];
  const hear = (message: unknown) => void told.push(message);
  subscribe(DEGRADED, hear);
  onTestFinished(() => void unsubscribe(DEGRADED, hear));
  return told;
}

test("an agent remembers with what it was given", async () => {
  const answer = await walker(diary(async () => "a long walk")).execute({ fails: false });
  expect(answer).toMatchObject({ remembered: "a long walk", warnings: ["It rains."] });
});

test("a memory is opened by the run that asks, and one that cannot be opened is degraded", async () => {
  let opened = 0;
  const agent = walker(async () => {
    opened += 1;
    if (opened === 1) throw new Forgotten("the diary is at home");
    return diary(async () => "found it");
  });
  expect(opened).toBe(0);
  expect(await agent.execute({ fails: false })).toMatchObject({ warnings: ["It rains.", sentence] });
  expect(await agent.execute({ fails: false })).toMatchObject({ remembered: "found it" });
});

test("an agent that was given no memory goes on, and nothing of it is degraded", async () => {
  const told = listen();
  const answer = await walker().execute({ fails: false });
  expect(answer).toMatchObject({ remembered: null, warnings: ["It rains."] });
  expect(told).toEqual([]);
});

test("a memory that is down is named in the answer's warnings, and the agent answers", async () => {
  const told = listen();
  const answer = await walker(away).execute({ fails: false });
  expect(answer).toMatchObject({
    status: "completed",
    remembered: null,
    warnings: ["It rains.", sentence],
  });
  expect(told).toEqual([{ part: "episodic_memory", message: sentence }]);
});

test("an agent that fails after its memory did names both", async () => {
  const update = await walker(away).asNode()({ fails: true }, {});
  expect(update).toMatchObject({ status: "failed", errors: [{ code: "forgotten" }], warnings: [sentence] });
});

test("no run names what an earlier one of the same agent missed", async () => {
  let isAway = true;
  const agent = walker(
    diary(() => (isAway ? Promise.reject(new Forgotten("the diary is at home")) : Promise.resolve("back"))),
  );
  await agent.execute({ fails: false });
  isAway = false;
  expect(await agent.execute({ fails: false })).toMatchObject({ warnings: ["It rains."] });
});

test("a memory that hangs is given up by the caller's signal, and is told so", async () => {
  const caller = new AbortController();
  const asked = Promise.withResolvers<AbortSignal>();
  const silent = diary((signal) => {
    asked.resolve(signal);
    return new Promise<never>(() => undefined);
  });
  const answer = walker(silent).execute({ fails: false }, { signal: caller.signal });
  const seen = await asked.promise;
  caller.abort();
  expect(await answer).toMatchObject({
    warnings: ["It rains.", "episodic memory does not tell of earlier walks: it gave no answer in time"],
  });
  expect(seen.aborted).toBe(true);
});

test("a mistake in what an agent does with its memory is no degraded memory", async () => {
  const broken = diary(() => Promise.reject(new TypeError("x is undefined")));
  await expect(walker(broken).execute({ fails: false })).rejects.toMatchObject({ code: "unexpected" });
});
