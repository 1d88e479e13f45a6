import { expect, test } from "vitest";
import { ConflictError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { apply, promoteToProduction, registerVersions } from "./database_setup.ts";
import { move, versionOf } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

export function describeLifecycle(open: OpenDatabase): void {
  describeRegistrations(open);
  describeMoves(open);
  describeListsOfMoves(open);
}

function describeRegistrations(open: OpenDatabase): void {
  test("a registered version reads back as it was written", async () => {
    const { db } = await open();
    await registerVersions(db, 1);
    expect(await db.modelVersions.get("mv_1")).toEqual(versionOf(1));
    expect(await db.modelVersions.getByRun("exp", "run_1")).toEqual(versionOf(1));
    expect(await db.modelVersions.get("mv_2")).toBeNull();
  });

  test("the same run cannot be registered twice for an experiment", async () => {
    const { db } = await open();
    await registerVersions(db, 1);
    const twin = { ...versionOf(2), mlflow_run_id: "run_1" };
    const again = apply(db, { change: "insert_model_version", model_version: twin, algorithm: null });
    await expect(again).rejects.toThrow(ConflictError);
  });
}

function describeMoves(open: OpenDatabase): void {
  test("a version climbs through all stages, each move with its row in the history", async () => {
    const { db } = await open();
    await registerVersions(db, 1);
    await promoteToProduction(db, 1);
    const version = await db.modelVersions.getProduction("exp");
    expect(version).toMatchObject({ model_version_id: "mv_1", stage: "production", stage_revision: 3 });
    expect(version?.promoted_at).not.toBeNull();
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
    const { db } = await open();
    await registerVersions(db, 1);
    await apply(db, move(1, "development", "staging", 0));
    await expect(apply(db, move(1, "staging", "shadow", 0))).rejects.toMatchObject({
      code: "conflict",
      details: {
        expected: { stage: "staging", stage_revision: 0 },
        found: { stage: "staging", stage_revision: 1 },
      },
    });
    await expect(apply(db, move(1, "development", "shadow", 1))).rejects.toMatchObject({
      code: "conflict",
      details: { expected: { stage: "development", stage_revision: 1 }, found: { stage: "staging" } },
    });
    await expect(apply(db, move(9, "staging", "shadow", 0))).rejects.toThrow(NotFoundError);
  });

  test("of eight moves at once exactly one wins", async () => {
    const { db } = await open();
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

  test("an illegal move through the changes is the lifecycle's error", async () => {
    const { db } = await open();
    await registerVersions(db, 1);
    const skip = apply(db, move(1, "development", "production", 0));
    await expect(skip).rejects.toMatchObject({ code: "invalid_promotion_path" });
  });
}

function describeListsOfMoves(open: OpenDatabase): void {
  test("an experiment has one production version: the second loses, and superseding in one list works", async () => {
    const { db } = await open();
    await registerVersions(db, 1, 2);
    await promoteToProduction(db, 1);
    await expect(promoteToProduction(db, 2)).rejects.toThrow(ConflictError);
    await apply(db, move(2, "shadow", "production", 2), move(1, "production", "archived", 3));
    expect((await db.modelVersions.getProduction("exp"))?.model_version_id).toBe("mv_2");
  });

  test("a rollback restores the archived version and archives the bad one in one list", async () => {
    const { db } = await open();
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
    const { db } = await open();
    await registerVersions(db, 1);
    await expect(
      apply(db, move(1, "development", "staging", 0), move(1, "staging", "shadow", 7)),
    ).rejects.toThrow(ConflictError);
    expect(await db.modelVersions.get("mv_1")).toMatchObject({ stage: "development", stage_revision: 0 });
  });
}
