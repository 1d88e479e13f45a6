import { expect, test } from "vitest";
import { ConflictError, NotFoundError } from "../../../src/agents/model_deployer/errors.ts";
import { apply, createWorld, move, promoteToProduction, registerVersions, versionOf } from "./support.ts";

test("a registered version reads back as it was written", async () => {
  const { db } = await createWorld();
  await registerVersions(db, 1);
  expect(await db.modelVersions.get("mv_1")).toEqual(versionOf(1));
  expect(await db.modelVersions.getByRun("exp", "run_1")).toEqual(versionOf(1));
  expect(await db.modelVersions.get("mv_2")).toBeNull();
});

test("the same run cannot be registered twice for an experiment", async () => {
  const { db } = await createWorld();
  await registerVersions(db, 1);
  const twin = { ...versionOf(2), mlflow_run_id: "run_1" };
  const again = apply(db, { change: "insert_model_version", model_version: twin, algorithm: null });
  await expect(again).rejects.toThrow(ConflictError);
});

test("a version climbs through all stages, each move with its row in the history", async () => {
  const { db, sql } = await createWorld();
  await registerVersions(db, 1);
  await promoteToProduction(db, 1);
  const version = await db.modelVersions.getProduction("exp");
  expect(version).toMatchObject({ model_version_id: "mv_1", stage: "production", stage_revision: 3 });
  expect(version?.promoted_at).not.toBeNull();
  expect(await sql("select is_champion from ml_model_registry")).toEqual([{ is_champion: true }]);
  const events = await db.history.list("exp");
  expect(events.map(({ kind, from_stage, to_stage }) => [kind, from_stage, to_stage])).toEqual([
    ["registration", null, "development"],
    ["promotion", "development", "staging"],
    ["promotion", "staging", "shadow"],
    ["promotion", "shadow", "production"],
  ]);
  expect(events[3]).toMatchObject({ changed_by: "mover", reason: "because", metrics: { test_auc: 0.9 } });
});

test("a move from a stage or a revision that is not there any more loses, and says what was found", async () => {
  const { db } = await createWorld();
  await registerVersions(db, 1);
  await apply(db, move(1, "development", "staging", 0));
  await expect(apply(db, move(1, "staging", "shadow", 0))).rejects.toMatchObject({
    code: "conflict",
    details: {
      expected: { stage: "staging", stage_revision: 0 },
      found: { stage: "staging", stage_revision: 1 },
    },
  });
  await expect(apply(db, move(9, "staging", "shadow", 0))).rejects.toThrow(NotFoundError);
});

test("of eight moves at once exactly one wins", async () => {
  const { db } = await createWorld();
  await registerVersions(db, 1);
  const tries = await Promise.allSettled(
    Array.from({ length: 8 }, () => apply(db, move(1, "development", "staging", 0))),
  );
  expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const tried of tries) {
    if (tried.status === "rejected") expect(tried.reason).toBeInstanceOf(ConflictError);
  }
  expect(await db.history.list("exp")).toHaveLength(2);
});

test.each([
  ["development", "production"],
  ["development", "shadow"],
  ["development", "archived"],
])("raw SQL cannot move a version from %s to %s", async (_from, to) => {
  const { db, sql } = await createWorld();
  await registerVersions(db, 1);
  const skip = sql("update ml_model_registry set stage = $1, stage_revision = 1", [to]);
  await expect(skip).rejects.toMatchObject({ code: "MD002" });
});

test("raw SQL cannot skip stages by inserting, forget the revision, or repoint a version", async () => {
  const { db, sql } = await createWorld();
  await registerVersions(db, 1);
  await expect(
    sql(`insert into ml_model_registry (model_version_id, experiment_id, model_name, version, mlflow_run_id, stage,
      model_artifact_uri, artifact_digest) values ('x', 'exp', 'm', 1, 'r', 'production', 'u', 'd')`),
  ).rejects.toMatchObject({ code: "MD002" });
  await expect(sql("update ml_model_registry set stage = 'staging'")).rejects.toMatchObject({
    code: "MD003",
  });
  await expect(sql("update ml_model_registry set artifact_digest = 'b'")).rejects.toMatchObject({
    code: "MD001",
  });
});

test("an illegal move through the changes is the lifecycle's error", async () => {
  const { db } = await createWorld();
  await registerVersions(db, 1);
  const skip = apply(db, move(1, "development", "production", 0));
  await expect(skip).rejects.toMatchObject({ code: "invalid_promotion_path" });
});

test("an experiment has one production version: the second loses, and superseding in one list works", async () => {
  const { db, sql } = await createWorld();
  await registerVersions(db, 1, 2);
  await promoteToProduction(db, 1);
  await expect(promoteToProduction(db, 2)).rejects.toThrow(ConflictError);
  await expect(
    sql(
      "update ml_model_registry set stage = 'production', stage_revision = 3 where model_version_id = 'mv_2'",
    ),
  ).rejects.toThrow(/ml_model_registry_one_production/);
  await apply(db, move(2, "shadow", "production", 2), move(1, "production", "archived", 3));
  expect((await db.modelVersions.getProduction("exp"))?.model_version_id).toBe("mv_2");
});

test("a rollback restores the archived version and archives the bad one in one list", async () => {
  const { db } = await createWorld();
  await registerVersions(db, 1, 2);
  await promoteToProduction(db, 1);
  await apply(db, move(2, "development", "staging", 0));
  await apply(db, move(2, "staging", "shadow", 1));
  await apply(db, move(2, "shadow", "production", 2), move(1, "production", "archived", 3));
  const before = await db.modelVersions.get("mv_1");
  await apply(
    db,
    { ...move(1, "archived", "production", 4), kind: "rollback" },
    { ...move(2, "production", "archived", 3), kind: "rollback" },
  );
  const after = await db.modelVersions.getProduction("exp");
  expect(after?.model_version_id).toBe("mv_1");
  expect(after?.promoted_at).not.toBe(before?.promoted_at);
  expect((await db.history.list("exp")).filter(({ kind }) => kind === "rollback")).toHaveLength(2);
});

test("a list of changes is applied whole or not at all", async () => {
  const { db } = await createWorld();
  await registerVersions(db, 1);
  await expect(
    apply(db, move(1, "development", "staging", 0), move(1, "staging", "shadow", 7)),
  ).rejects.toThrow(ConflictError);
  expect(await db.modelVersions.get("mv_1")).toMatchObject({ stage: "development", stage_revision: 0 });
});

test.each(["ml_stage_history", "ml_traffic_history", "ml_operation_steps", "ml_gate_policies"])(
  "%s can only be added to",
  async (table) => {
    const { db, sql } = await createWorld();
    await registerVersions(db, 1);
    await expect(sql(`delete from ${table}`)).rejects.toMatchObject({ code: "MD001" });
    await expect(sql(`truncate ${table}`)).rejects.toMatchObject({ code: "MD001" });
    const [column] = await sql(
      "select column_name from information_schema.columns where table_name = $1 and is_identity = 'NO' limit 1",
      [table],
    );
    const name = String(column?.["column_name"]);
    await expect(sql(`update ${table} set ${name} = ${name}`)).rejects.toMatchObject({ code: "MD001" });
  },
);
