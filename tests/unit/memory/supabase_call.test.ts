import { describe, expect, it } from "vitest";
import { callSupabase, memoryCircuit, type SupabaseReply } from "../../../src/memory/supabase_call.ts";

const signal = () => AbortSignal.timeout(120_000);

function answer(status: number, error: SupabaseReply["error"]) {
  return callSupabase(memoryCircuit(), "try", signal(), () => Promise.resolve({ data: null, error, status }));
}

describe("callSupabase", () => {
  it("gives back the data", async () => {
    const reply = { data: [1], error: null, status: 200 };
    expect(await callSupabase(memoryCircuit(), "try", signal(), () => Promise.resolve(reply))).toEqual([1]);
  });

  it.each([
    [0, "", "service_unavailable"],
    [429, "", "service_unavailable"],
    [500, "57014", "service_unavailable"],
    [503, "PGRST001", "service_unavailable"],
    [400, "23514", "service_refused"],
    [401, "PGRST301", "service_refused"],
    [403, "42501", "service_refused"],
    [404, "PGRST205", "service_refused"],
    [409, "23505", "service_refused"],
  ])("takes status %d with code %j as %s", async (status, code, expected) => {
    const details = { service: "supabase", status, sql_state: code };
    await expect(answer(status, { message: "no", code })).rejects.toMatchObject({ code: expected, details });
  });

  it("names the way out for a missing table, an older one and a wrong key", async () => {
    const files = "run the files in src/memory/migrations";
    await expect(answer(404, { message: "no table" })).rejects.toThrow(files);
    await expect(answer(400, { message: "no constraint", code: "42P10" })).rejects.toThrow(files);
    await expect(answer(401, { message: "no" })).rejects.toThrow("SUPABASE_KEY");
  });

  it("does not wait for a request that ignores its signal", async () => {
    const never = new Promise<SupabaseReply>(() => undefined);
    const caller = new AbortController();
    const call = callSupabase(memoryCircuit(), "try", caller.signal, () => never);
    caller.abort();
    await expect(call).rejects.toMatchObject({ code: "service_unavailable", cause: { name: "AbortError" } });
  });

  it("starts nothing after the deadline", async () => {
    let started = false;
    const request = () => {
      started = true;
      return Promise.resolve({ data: null, error: null, status: 200 });
    };
    await expect(callSupabase(memoryCircuit(), "try", AbortSignal.abort(), request)).rejects.toThrow(
      "could not try",
    );
    expect(started).toBe(false);
  });
});
