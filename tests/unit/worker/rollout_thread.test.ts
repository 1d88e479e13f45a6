import { expect, test } from "vitest";
import { z } from "zod";
import { rolloutThread } from "../../../src/worker/rollout_thread.ts";

test("a rollout's thread is one UUID for ever, and no other rollout's", () => {
  const ids = Array.from({ length: 200 }, (_, index) => `rollout_${index}`);
  const threads = ids.map(rolloutThread);
  expect(z.array(z.uuid({ version: "v8" })).parse(threads)).toEqual(ids.map(rolloutThread));
  expect(new Set(threads).size).toBe(200);
  expect(rolloutThread("rollout_1")).toBe("ca28d28e-379e-8306-85f2-9b15d899dc48");
});
