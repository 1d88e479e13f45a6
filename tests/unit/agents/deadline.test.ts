import { expect, test } from "vitest";
import { Deadline, untilAborted } from "../../../src/agents/base/deadline.ts";

const never = () => new Promise<never>(() => undefined);

test("a deadline reaches what is called, also later and after a wait, and nobody else", async () => {
  const deadline = new Deadline(60_000);
  const seen = await deadline.cover(async () => {
    await Promise.resolve();
    return new Promise((resolve) => setImmediate(() => resolve(Deadline.current)));
  });
  expect(seen).toBe(deadline);
  expect(Deadline.current).toBeUndefined();
});

test("the innermost deadline counts, even where it ends later", () => {
  const inner = new Deadline(60_000);
  expect(new Deadline(1).cover(() => inner.cover(() => Deadline.current))).toBe(inner);
});

test("what remains is never negative, and its signal ends a wait", async () => {
  const deadline = new Deadline(5);
  await expect(untilAborted(deadline.signal, never)).rejects.toThrow(/timeout/);
  await expect.poll(() => deadline.remainingMs).toBe(0);
});
