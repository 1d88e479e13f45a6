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

test("an operation that a newer release has planned is left to it, and holds up none of the others", async () => {
  const { db, sql } = await createWorld();
  const ids = [];
  for (let one = 0; one < 3; one += 1) {
    const { operation_id } = await claim(db);
    await db.journal.begin(operation_id, planOf(), null);
    ids.push(operation_id);
  }
  const [newer = "", ...others] = ids;
  await sql(
    `update ml_operations set plan = plan || '{"a_later_field": true}' where operation_id = '${newer}'`,
  );
  const taken = await db.operations.takeUnfinished(10);
  expect(taken.map(({ operation_id }) => operation_id).sort()).toEqual([...ids].sort());
  await expect(db.operations.see(newer)).rejects.toThrow("is not what this version expects");
  for (const id of others)
    expect(await db.operations.see(id)).toMatchObject({ operation: { status: "planned" } });
});

test("each table has a primary key, by which its rows can be replicated and changed", async () => {
  const { sql } = await createWorld();
  const without = await sql(
    `select c.relname from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'
       and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)`,
  );
  expect(without).toEqual([]);
});
