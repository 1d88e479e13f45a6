import { expect, test } from "vitest";
import { givenSecrets } from "../../support/given/given_secrets.ts";
import { createWorld } from "./support.ts";

const ADDRESS = "https://hooks.example.org/T000/secret-path";

test("what an earlier version kept in clear text is sealed for its sink, once", async () => {
  const { db, sql } = await createWorld();
  await sql(
    `insert into ml_notification_sinks (sink_name, target, secrets, set_by)
     values ('team', '{"kind": "slack", "host": "hooks.example.org"}', '{"address": "plain:${ADDRESS}"}', 'ana'),
       ('other', '{"kind": "slack", "host": "hooks.example.org"}', '{"address": "env:OTHER"}', 'ana')`,
  );
  const secrets = givenSecrets();
  await db.sinks.sealPlain(secrets);
  const { secrets: kept } = await db.sinks.sendable("team");
  expect(kept.address).toMatch(/^sealed:1:/);
  expect(await secrets.open(kept.address ?? "", "sink/team/address")).toBe(ADDRESS);
  await db.sinks.sealPlain(secrets);
  expect((await db.sinks.sendable("team")).secrets).toEqual(kept);
  expect((await db.sinks.sendable("other")).secrets).toEqual({ address: "env:OTHER" });
});
