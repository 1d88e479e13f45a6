import { expect, test } from "vitest";
import { claim } from "../../../src/testing/contracts/database/database_setup.ts";
import { planOf } from "../../../src/testing/contracts/database/fixtures.ts";
import { createWorld } from "./world.ts";

test("no more operations are taken than were asked for, whatever Postgres thinks how many there are", async () => {
  const { db, sql } = await createWorld();
  const begin = async () => {
    const { operation_id } = await claim(db);
    await db.journal.begin(operation_id, planOf(), null);
  };
  await begin();
  await sql("analyze ml_operations");
  for (let more = 0; more < 4; more += 1) await begin();
  expect(await db.operations.takeUnfinished(1)).toHaveLength(1);
  expect(await db.operations.takeUnfinished(3)).toHaveLength(3);
});
