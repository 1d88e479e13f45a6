import { expect, test } from "vitest";
import { createTestDatabase } from "../../support/services/databases.ts";

/** One of them is met between its connection and its statement, when nobody waits for an answer. */
const QUERIES = 60;

test("a database that is dropped under running queries fails those, and nothing else", async () => {
  for (let round = 0; round < 5; round += 1) {
    const database = await createTestDatabase();
    const asked = Array.from({ length: QUERIES }, () => database.query("select pg_sleep(0.01)"));
    const first = Promise.race(asked.map((one) => one.catch(() => undefined)));
    await first;
    await database.drop();
    const ends = await Promise.allSettled(asked);
    expect(ends).toHaveLength(QUERIES);
  }
});
