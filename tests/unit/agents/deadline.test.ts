import { expect, test } from "vitest";
import { Deadline, noAnswer, untilAborted } from "../../../src/agents/base/deadline.ts";

const never = () => new Promise<never>(() => undefined);

test("a deadline reaches what is called, also later and after a wait, and nobody else", async () => {
  const deadline = new Deadline(60_000, { of: "a test" });
  const seen = await deadline.run(async () => {
    await Promise.resolve();
    return new Promise((resolve) => setImmediate(() => resolve(Deadline.current)));
  });
  expect(seen).toBe(deadline);
  expect(Deadline.current).toBeUndefined();
});

test("the innermost deadline counts, even where it ends later", () => {
  const inner = new Deadline(60_000, { of: "a test" });
  expect(new Deadline(1, { of: "a test" }).run(() => inner.run(() => Deadline.current))).toBe(inner);
});

test("what remains is never negative, and its signal ends a wait", async () => {
  const deadline = new Deadline(5, { of: "a test" });
  await expect(untilAborted(deadline.signal, never)).rejects.toThrow(/timeout/);
  await expect.poll(() => deadline.remainingMs).toBe(0);
});

test("what was cut is named: the deadline's own time, or whoever ended it before", async () => {
  const over = new Deadline(5, { of: "a look at a rollout" });
  await expect(untilAborted(over.signal, never)).rejects.toThrow();
  expect(over.end).toBe("the 5 ms of a look at a rollout were over");
  expect(new Deadline(60_000, { of: "a command", until: AbortSignal.abort() }).end).toBe(
    "its caller ended it",
  );
});

test("a part that was asked is said to be late only where its own limit was over", async () => {
  const asked = new AbortController();
  expect(noAnswer(asked.signal, 3000)).toBe("no answer within 3 s");
  asked.abort();
  expect(noAnswer(asked.signal, 3000)).toBe("no answer before its caller ended it");
  const deadline = new Deadline(60_000, { of: "an answer", until: asked.signal });
  expect(deadline.run(() => noAnswer(asked.signal, 3000))).toBe("no answer before its caller ended it");
  const over = new Deadline(5, { of: "an answer" });
  await expect(untilAborted(over.signal, never)).rejects.toThrow();
  expect(over.run(() => noAnswer(over.signal, 3000))).toBe(
    "no answer before the 5 ms of an answer were over",
  );
});
