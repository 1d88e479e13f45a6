import { expect, test } from "vitest";
import { z } from "zod";
import { rolloutThread } from "../../../src/worker/rollouts/rollout_thread.ts";

test("a rollout's thread is one UUID for ever, and no other rollout's", () => {
  const ids = Array.from({ length: 200 }, (_, index) => `rollout_${index}`);
  const threads = ids.map(rolloutThread);
  expect(z.array(z.uuid({ version: "v5" })).parse(threads)).toEqual(ids.map(rolloutThread));
  expect(new Set(threads).size).toBe(200);
  expect(rolloutThread("rollout_1")).toBe("48e65374-785d-5851-8096-493a0c5ecdf7");
});
