import { expect, test } from "vitest";
import { openEndpointWith } from "../database_setup.ts";
import type { OpenDatabase } from "../harness.ts";
import {
  ENDPOINT,
  OTHER,
  answer,
  at,
  collect,
  drawn,
  many,
  never,
  openAnother,
  settings,
  stretches,
  tell,
  truths,
} from "./outcomes_world.ts";

export function describeOutcomes(open: OpenDatabase): void {
  const opened = async () => {
    const harness = await open();
    await openEndpointWith(harness.db, 2);
    return harness;
  };
  describeJoinedOutcomes(opened);
  describeRequestIds(opened);
  describeOutcomesOfEndpoints(opened);
  describePairedAnswers(opened);
}

function describeJoinedOutcomes(opened: OpenDatabase): void {
  test("of an endpoint that was never read nothing is known, and of none that does not exist", async () => {
    const { db } = await opened();
    expect(await db.outcomes.reading(ENDPOINT)).toEqual({
      positions: {},
      stretches: [],
      repeated_ids: 0,
      kept: 0,
    });
    expect(await db.outcomes.read("rollout1")).toBeNull();
    await expect(db.outcomes.reading("none")).rejects.toMatchObject({ code: "not_found" });
  });

  test("answers and outcomes are joined in any order, and each is compared once", async () => {
    const { db, another } = await opened();
    const answers = many(0, 40);
    const { r0: first = "", ...others } = truths(answers);
    expect(await tell(db, { r0: first })).toMatchObject({ recorded: 0, waiting: 1 });
    await collect(db, ...answers);
    expect(await tell(db, others)).toMatchObject({ recorded: 39, waiting: 0 });
    const compared = await Promise.all(
      [db, another("process-b")].map((one) => one.outcomes.compare(drawn, never)),
    );
    expect(compared[0]).toEqual(compared[1]);
    expect(await db.outcomes.compare(drawn, never)).toEqual(compared[0]);
    expect(compared[0]).toMatchObject({
      candidate: { outcomes: 20, loss: 10 },
      baseline: { outcomes: 20, loss: 0 },
    });
    expect(await db.outcomes.read("rollout1")).toEqual(compared[0]);
  });

  test("an outcome that is told again changes nothing, and another value for it neither", async () => {
    const { db } = await opened();
    const answers = many(0, 40);
    await collect(db, ...answers);
    await tell(db, truths(answers));
    const before = await db.outcomes.compare(drawn, never);
    expect(await tell(db, { r0: "yes", r1: "no" })).toEqual({
      recorded: 0,
      waiting: 0,
      repeated: 1,
      contradicting: 1,
      of_another_endpoint: 0,
      of_several_endpoints: 0,
    });
    const twice = [
      { request_id: "x", outcome: "yes" },
      { request_id: "x", outcome: "yes" },
      { request_id: "x", outcome: "no" },
    ];
    const told = await db.outcomes.record(twice, { by: "ana", endpoint_name: null });
    expect(told).toMatchObject({ waiting: 1, repeated: 1, contradicting: 1 });
    expect(await db.outcomes.compare(drawn, never)).toEqual(before);
  });
}

function describeRequestIds(opened: OpenDatabase): void {
  test("of requests with one id the first counts, whoever is read first, and the others are counted", async () => {
    const { db } = await opened();
    const others = many(1, 39);
    await collect(db, answer("same", "d2", "no", 2000), answer("same", "d2", "no", 2001), ...others);
    await collect(db, answer("same", "d1", "yes", 1500));
    await collect(db, answer("same", "d1", "yes", 1500));
    await collect(db, answer("same", "d2", "no", 2500));
    expect(await db.outcomes.reading(ENDPOINT)).toMatchObject({ repeated_ids: 3, kept: 40 });
    await tell(db, { same: "yes", ...truths(others) });
    const { candidate, baseline } = await db.outcomes.compare(drawn, never);
    expect([candidate.outcomes, baseline.outcomes]).toEqual([20, 20]);
    expect(baseline.loss).toBe(0);
  });

  test("an answer from after the instant up to which all logs were read waits, since an earlier one may come", async () => {
    const { db } = await opened();
    const answers = many(0, 40);
    await collect(db, ...answers);
    await tell(db, truths(answers));
    const early = await db.outcomes.compare(drawn, { settings, settled_before: at(1000) });
    expect(early.candidate.outcomes).toBe(0);
    expect((await db.outcomes.compare(drawn, never)).candidate.outcomes).toBe(20);
  });

  test("ids that differ by case or by a space are ids of different requests", async () => {
    const { db } = await opened();
    await collect(db, answer("abc", "d2", "no"));
    const told = await tell(db, { ABC: "yes", "abc ": "yes", abc: "yes" });
    expect(told).toMatchObject({ recorded: 1, waiting: 2, contradicting: 0 });
  });
}

function describeOutcomesOfEndpoints(opened: OpenDatabase): void {
  test("outcomes that are told for another endpoint are counted, and compare nothing", async () => {
    const { db } = await opened();
    const answers = many(0, 40);
    await collect(db, ...answers);
    const told = await tell(db, truths(answers), "e2i_other");
    expect(told).toMatchObject({ recorded: 0, of_another_endpoint: 40 });
    expect(await tell(db, { unknown: "yes" }, "e2i_other")).toMatchObject({ waiting: 1 });
    await collect(db, answer("unknown", "d2", "no"));
    const compared = await db.outcomes.compare(drawn, never);
    expect(compared).toMatchObject({ candidate: { outcomes: 0 }, pending: {} });
  });

  test("of one request id that two endpoints have answered, each has an outcome of its own, told by its name", async () => {
    const { db } = await opened();
    await openAnother(db);
    const answers = many(0, 40);
    await collect(db, ...answers);
    await db.outcomes.collect(OTHER, { from: {}, to: { d1: "1" }, stretches, answers });
    expect(await tell(db, truths(answers))).toMatchObject({ recorded: 0, of_several_endpoints: 40 });
    expect(await db.outcomes.compare(drawn, never)).toMatchObject({ candidate: { outcomes: 0 } });

    const wrong = Object.fromEntries(answers.map(({ request_id }) => [request_id, "never said"]));
    expect(await tell(db, wrong, OTHER)).toMatchObject({ recorded: 40, contradicting: 0 });
    expect(await tell(db, truths(answers), ENDPOINT)).toMatchObject({ recorded: 40, contradicting: 0 });
    expect(await tell(db, wrong, ENDPOINT)).toMatchObject({ recorded: 0, contradicting: 40 });
    expect(await db.outcomes.compare(drawn, never)).toMatchObject({
      candidate: { outcomes: 20, loss: 10 },
      baseline: { outcomes: 20, loss: 0 },
    });
  });

  test("an outcome that names no endpoint is of none once two have answered its id", async () => {
    const { db } = await opened();
    await openAnother(db);
    const answers = many(0, 40);
    expect(await tell(db, truths(answers))).toMatchObject({ waiting: 40 });
    await db.outcomes.collect(OTHER, { from: {}, to: { d1: "1" }, stretches, answers });
    await collect(db, ...answers);
    expect(await db.outcomes.compare(drawn, never)).toMatchObject({
      candidate: { outcomes: 0 },
      pending: {},
    });
    expect(await tell(db, truths(answers), ENDPOINT)).toMatchObject({ recorded: 40 });
    expect(await db.outcomes.compare(drawn, never)).toMatchObject({ candidate: { outcomes: 20 } });
  });
}

function describePairedAnswers(opened: OpenDatabase): void {
  test("a shadow's answers are paired with what served beside it", async () => {
    const { db } = await opened();
    const answers = Array.from({ length: 10 }, (_, index) => answer(`r${index}`, "d1", "yes"));
    const mirrored = answers.map((one, index) => ({
      ...one,
      deployment_id: "d2",
      is_mirrored: true,
      prediction: index < 4 ? "no" : "yes",
    }));
    await collect(db, ...mirrored);
    await tell(db, truths(answers));
    const pairs = { subject: "d2", endpoint_name: ENDPOINT, by: "pairs", shadow_id: "d2" } as const;
    expect((await db.outcomes.compare(pairs, never)).candidate.outcomes).toBe(0);
    await collect(db, ...answers);
    const compared = await db.outcomes.compare(pairs, never);
    expect(compared).toMatchObject({
      candidate: { outcomes: 10, loss: 4 },
      baseline: { outcomes: 10, loss: 0 },
    });
    expect(await db.outcomes.compare(pairs, never)).toEqual(compared);
  });

  test("whoever read from where somebody has read on already keeps nothing", async () => {
    const { db } = await opened();
    const collected = { from: {}, to: { d1: "a" }, stretches, answers: [answer("r1", "d1", "yes")] };
    await db.outcomes.collect(ENDPOINT, collected);
    await db.outcomes.collect(ENDPOINT, { ...collected, answers: [answer("r2", "d1", "yes")] });
    expect((await db.outcomes.reading(ENDPOINT)).kept).toBe(1);
  });
}
