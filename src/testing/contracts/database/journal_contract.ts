import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import {
  ConflictError,
  IdempotencyKeyReusedError,
  NotFoundError,
} from "../../../agents/model_deployer/errors.ts";
import { apply, claim, openEndpointWith } from "./database_setup.ts";
import { planOf, want } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

const refusal = {
  code: "conflict" as const,
  sentence: "No.",
  passes: false,
  unmet: [],
  next: [],
  not_before: null,
};

export function describeJournal(open: OpenDatabase): void {
  describeClaims(open);
  describeBegins(open);
  describeRecords(open);
  describeFinishes(open);
}

function describeClaims(open: OpenDatabase): void {
  test("the same request again finds the same operation, and its stored outcome", async () => {
    const { db } = await open();
    const first = await claim(db, { request_id: "r1" });
    expect(first).toMatchObject({ action_key: "req:r1", status: "claimed", plan: null, result: null });
    await db.journal.finish(first.operation_id, { status: "succeeded", result: { answer: 42 } }, [], null);
    const again = await claim(db, { request_id: "r1" });
    expect(again).toMatchObject({
      operation_id: first.operation_id,
      status: "succeeded",
      result: { answer: 42 },
    });
  });

  test("the same request id with another body is an error", async () => {
    const { db } = await open();
    await claim(db, { request_id: "r1", payload_hash: "one" });
    await expect(claim(db, { request_id: "r1", payload_hash: "two" })).rejects.toThrow(
      IdempotencyKeyReusedError,
    );
  });

  test("without a request id an unfinished operation is found again, and a finished one does not block", async () => {
    const { db } = await open();
    const first = await claim(db, { request_id: null });
    expect((await claim(db, { request_id: null })).operation_id).toBe(first.operation_id);
    await claim(db, { request_id: "r1" }).then(({ operation_id: id }) =>
      db.journal.finish(id, { status: "refused", refusal }, [], null),
    );
    expect((await claim(db, { request_id: null })).operation_id).toBe(first.operation_id);
    await db.journal.finish(first.operation_id, { status: "refused", refusal }, [], null);
    const second = await claim(db, { request_id: null });
    expect(second).toMatchObject({ action_key: "auto:hash:1", status: "claimed" });
    expect(second.operation_id).not.toBe(first.operation_id);
  });

  test.each([null, "r1"])(
    "sixteen claims at once with request id %s find one operation",
    async (request_id) => {
      const { db, another } = await open();
      const other = another("process-b");
      const claims = await Promise.all(
        Array.from({ length: 16 }, (_, index) => claim(index % 2 === 0 ? db : other, { request_id })),
      );
      expect(new Set(claims.map(({ operation_id }) => operation_id)).size).toBe(1);
    },
  );
}

function describeBegins(open: OpenDatabase): void {
  test("begin writes the plan and its intent together, and once", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const { operation_id: id } = await claim(db);
    const plan = planOf([want(0, { d1: 100 })]);
    await db.journal.begin(id, plan, null);
    await db.journal.begin(id, plan, null);
    expect(await db.operations.get(id)).toMatchObject({ status: "planned", plan });
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 1 });
    await expect(db.journal.begin(id, planOf([], { summary: "Another." }), null)).rejects.toThrow(
      ConflictError,
    );
  });

  test("a begin whose intent loses leaves the operation claimed", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const { operation_id: id } = await claim(db);
    await expect(db.journal.begin(id, planOf([want(5, { d1: 100 })]), null)).rejects.toThrow(ConflictError);
    expect(await db.operations.get(id)).toMatchObject({ status: "claimed", plan: null });
  });

  test("an unknown operation is named", async () => {
    const { db } = await open();
    await expect(db.journal.begin("op_none", planOf(), null)).rejects.toThrow(NotFoundError);
    expect(await db.operations.get("op_none")).toBeNull();
  });
}

function describeRecords(open: OpenDatabase): void {
  test("a step is recorded once, whatever comes a second time", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    const { operation_id: id } = await claim(db);
    await db.journal.begin(id, planOf(), null);
    const step = { index: 0, step: "apply_route" as const, result: { generation: 1 } };
    await db.journal.record(id, step, [want(0, { d1: 100 })], null);
    await db.journal.record(id, { ...step, result: { generation: 9 } }, [want(1, { d2: 100 })], null);
    expect(await db.operations.steps(id)).toEqual([step]);
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 1, weights: { d1: 100 } });
    expect(await db.operations.get(id)).toMatchObject({ status: "carrying_out" });
    await expect(db.journal.record(id, { ...step, step: "stop_server" }, [], null)).rejects.toThrow(
      ConflictError,
    );
  });

  test("no step is recorded before the plan is written", async () => {
    const { db } = await open();
    const { operation_id: id } = await claim(db);
    const step = { index: 0, step: "apply_route" as const, result: {} };
    await expect(db.journal.record(id, step, [], null)).rejects.toThrow(ConflictError);
  });

  test("a step whose changes lose is not recorded", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const { operation_id: id } = await claim(db);
    await db.journal.begin(id, planOf(), null);
    const step = { index: 0, step: "apply_route" as const, result: {} };
    await expect(db.journal.record(id, step, [want(3, { d1: 100 })], null)).rejects.toThrow(ConflictError);
    expect(await db.operations.steps(id)).toEqual([]);
  });

  test("an entry of the outbox is enqueued once for a key", async () => {
    const { db } = await open();
    const entry = (n: number) => ({
      change: "enqueue" as const,
      topic: "episodic_memory" as const,
      dedupe_key: "key",
      payload: { n, nested: [1, null] },
    });
    await apply(db, entry(1), entry(2));
    await apply(db, entry(3));
    const claimed = await db.outbox.claim(10);
    expect(claimed.map(({ payload }) => payload)).toEqual([{ n: 1, nested: [1, null] }]);
  });

  test("values that Postgres cannot keep are a typed error", async () => {
    const { db } = await open();
    await expect(claim(db, { request: { name: `a${String.fromCharCode(0)}b` } })).rejects.toMatchObject({
      code: "invalid_request",
    });
    await expect(claim(db, { request_id: `${randomUUID()}${String.fromCharCode(0)}` })).rejects.toMatchObject(
      {
        code: "invalid_request",
      },
    );
  });
}

function describeFinishes(open: OpenDatabase): void {
  test("a finished operation never changes", async () => {
    const { db } = await open();
    const { operation_id: id } = await claim(db);
    const error = { code: "conflict", message: "Lost.", details: { who: "b" } };
    await db.journal.finish(id, { status: "failed", error }, [], null);
    const finished = await db.operations.get(id);
    expect(finished).toMatchObject({ status: "failed", error });
    const step = { index: 0, step: "apply_route" as const, result: {} };
    const succeed = db.journal.finish(id, { status: "succeeded", result: {} }, [], null);
    await expect(succeed).rejects.toThrow(ConflictError);
    await expect(db.journal.begin(id, planOf(), null)).rejects.toThrow(ConflictError);
    await expect(db.journal.propose(id, planOf(), { wait_seconds: 60 })).rejects.toThrow(ConflictError);
    await expect(db.journal.record(id, step, [], null)).rejects.toThrow(ConflictError);
    expect(await db.operations.get(id)).toEqual(finished);
  });

  test("of eight finishes at once one counts", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const { operation_id: id } = await claim(db);
    const tries = await Promise.allSettled(
      Array.from({ length: 8 }, (_, index) =>
        db.journal.finish(id, { status: "succeeded", result: { index } }, [want(0, { d1: 100 })], null),
      ),
    );
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await db.operations.get(id)).toMatchObject({
      result: { index: tries.findIndex((t) => t.status === "fulfilled") },
    });
  });
}
