import { describe, expect, it } from "vitest";
import type { ProceduralMemory } from "../../../agents/model_deployer/ports/memory_ports.ts";
import { callOptions, exampleProcedure, uniqueName } from "./examples.ts";

/** The contract of procedural memory. */
export function describeProceduralMemory(name: string, open: () => ProceduralMemory): void {
  const use = (changes: { dedupe_key?: string; succeeded?: boolean; duration_ms?: number } = {}) => ({
    dedupe_key: uniqueName("use"),
    succeeded: true,
    duration_ms: 12.5,
    ...changes,
  });

  describe(`${name} as procedural memory`, () => {
    it("has no experience with a trigger that never fired", async () => {
      const experience = await open().experience(uniqueName("trigger"), callOptions());
      expect(experience).toEqual({ usage_count: 0, success_count: 0 });
    });

    it("counts uses and successes", async () => {
      const memory = open();
      const procedure = exampleProcedure();
      for (const succeeded of [true, false, true]) {
        await memory.recordUse(procedure, use({ succeeded }), callOptions());
      }
      const experience = await memory.experience(procedure.trigger_pattern, callOptions());
      expect(experience).toEqual({ usage_count: 3, success_count: 2 });
    });

    it("counts one use once, also when it is told again with another outcome", async () => {
      const memory = open();
      const procedure = exampleProcedure();
      const once = use();
      await memory.recordUse(procedure, once, callOptions());
      await memory.recordUse(procedure, { ...once, succeeded: false }, callOptions());
      const experience = await memory.experience(procedure.trigger_pattern, callOptions());
      expect(experience).toEqual({ usage_count: 1, success_count: 1 });
    });

    it("loses and doubles no use of many that arrive together", async () => {
      const memory = open();
      const procedure = exampleProcedure();
      const uses = Array.from({ length: 10 }, (_, index) => use({ succeeded: index % 2 === 0 }));
      await Promise.all([...uses, ...uses].map((it) => memory.recordUse(procedure, it, callOptions())));
      const experience = await memory.experience(procedure.trigger_pattern, callOptions());
      expect(experience).toEqual({ usage_count: 10, success_count: 5 });
    });

    it("adds up all procedures of a trigger and none of another", async () => {
      const memory = open();
      const procedure = exampleProcedure();
      const { trigger_pattern } = procedure;
      const recovery = exampleProcedure({
        procedure_name: "roll_back",
        procedure_type: "error_recovery",
        trigger_pattern,
      });
      await memory.recordUse(procedure, use(), callOptions());
      await memory.recordUse(recovery, use({ succeeded: false }), callOptions());
      await memory.recordUse(exampleProcedure(), use(), callOptions());
      const experience = await memory.experience(trigger_pattern, callOptions());
      expect(experience).toEqual({ usage_count: 2, success_count: 1 });
    });

    it.each([-1, Infinity, NaN])("refuses a duration of %d ms", async (duration_ms) => {
      const memory = open();
      const procedure = exampleProcedure();
      await expect(memory.recordUse(procedure, use({ duration_ms }), callOptions())).rejects.toMatchObject({
        code: "service_refused",
      });
      const experience = await memory.experience(procedure.trigger_pattern, callOptions());
      expect(experience.usage_count).toBe(0);
    });

    it("does not answer a caller whose deadline has passed", async () => {
      const signal = AbortSignal.abort();
      const expected = { code: "service_unavailable" };
      await expect(open().recordUse(exampleProcedure(), use(), { signal })).rejects.toMatchObject(expected);
      await expect(open().experience("any", { signal })).rejects.toMatchObject(expected);
    });
  });
}
