import { expect, test } from "vitest";
import { apply } from "../database_setup.ts";
import type { OpenDatabase } from "../harness.ts";

export function describeOutbox(open: OpenDatabase): void {
  test("eight who empty the outbox at once get each entry once, the oldest first", async () => {
    const { db, another } = await open();
    const entries = Array.from({ length: 40 }, (_, n) => ({
      change: "enqueue" as const,
      topic: "registry_projection" as const,
      dedupe_key: `key-${n}`,
      payload: { n },
    }));
    await apply(db, ...entries);
    const [first] = await db.outbox.claim(1);
    expect(first).toMatchObject({ dedupe_key: "key-0", attempts: 1 });
    const other = another("process-b");
    const claims = await Promise.all(
      Array.from({ length: 8 }, (_, index) => (index % 2 === 0 ? db : other).outbox.claim(10)),
    );
    const keys = claims.flat().map(({ dedupe_key }) => dedupe_key);
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys).not.toContain("key-0");
  });

  test("what failed comes again later each time, what was delivered never, what was lost with its claimer after a while", async () => {
    const { db, passTime } = await open();
    await apply(db, { change: "enqueue", topic: "episodic_memory", dedupe_key: "k", payload: {} });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const [entry] = await db.outbox.claim(1);
      expect(entry?.attempts).toBe(attempt);
      await db.outbox.failed(entry?.entry_id ?? "", "no answer");
      expect(await db.outbox.claim(1)).toEqual([]);
      const longest = 2 ** (attempt - 1);
      if (attempt === 5) {
        await passTime({ seconds: longest / 2 - 1 });
        expect(await db.outbox.claim(1)).toEqual([]);
      }
      await passTime({ seconds: longest });
    }
    const [lost] = await db.outbox.claim(1);
    expect(await db.outbox.claim(1)).toEqual([]);
    await passTime({ minutes: 1 });
    const [again] = await db.outbox.claim(1);
    expect(again?.entry_id).toBe(lost?.entry_id);
    await db.outbox.delivered(again?.entry_id ?? "");
    await passTime({ minutes: 1 });
    expect(await db.outbox.claim(1)).toEqual([]);
  });
}
