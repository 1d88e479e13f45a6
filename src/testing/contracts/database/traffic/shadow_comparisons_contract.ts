import { expect, test } from "vitest";
import type {
  CollectedPredictions,
  LogPositions,
} from "../../../../agents/model_deployer/ports/evidence/shadow_ports.ts";
import type { TestDatabase } from "../../../in_memory/database/in_memory_database.ts";
import { openEndpointWith } from "../database_setup.ts";
import type { OpenDatabase } from "../harness.ts";

type Line = CollectedPredictions["predictions"][number];

const line = (side: Line["side"], request: string, prediction: Line["prediction"]): Line => ({
  side,
  request_id: request,
  prediction,
  score: typeof prediction === "number" ? prediction : null,
});

/** Reads on from where the store says that it is. */
async function collect(db: TestDatabase, to: LogPositions, ...predictions: Line[]): Promise<void> {
  const from = await db.shadowComparisons.positions("d1");
  await db.shadowComparisons.collect("d1", { from, to, predictions });
}

const counted = (deployment_id: string, requests: number, errors: number, epoch = "one") => ({
  ...{ deployment_id, epoch, requests, errors },
  ...{ p50_ms: 1, p99_ms: 2 },
});

export function describeShadowComparisons(open: OpenDatabase): void {
  describeProductionErrors(open);
  describePairs(open);
  describeWhatIsNoPair(open);
}

function describeProductionErrors(open: OpenDatabase): void {
  test("production's failures count from the first reading on, for as many requests as the shadow has answered", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    const collect = (shadow: number, production: [number, number], epoch?: string) =>
      db.shadowEvidence.collect("d1", counted("d1", shadow, 0), [counted("d2", ...production, epoch)]);
    expect(await collect(100, [5000, 70])).toMatchObject({ requests: 100, production_errors: 0 });
    expect(await collect(200, [5100, 80])).toMatchObject({ requests: 200, production_errors: 10 });
    expect(await collect(200, [5100, 80])).toMatchObject({ production_errors: 10 });
    expect(await collect(250, [5200, 100])).toMatchObject({ production_errors: 20 });
    expect(await collect(350, [100, 7], "two")).toMatchObject({ production_errors: 27 });
    expect(await collect(350, [200, 50], "two")).toMatchObject({ production_errors: 27 });
  });
}

function describePairs(open: OpenDatabase): void {
  test("lines of one request are a pair in whatever order they are read, and count once", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await collect(db, { d1: "a" }, line("shadow", "r1", 0.75), line("shadow", "r2", "yes"));
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 0 });
    await collect(db, { d2: "b" }, line("production", "r1", 0.5), line("production", "r2", "yes"));
    const compared = {
      pairs: 2,
      disagreements: 1,
      scored: 1,
      higher: 1,
      lower: 0,
      sum_difference: 0.25,
      sum_absolute_difference: 0.25,
      repeated_ids: 0,
    };
    expect(await db.shadowComparisons.read("d1")).toEqual(compared);
    expect(await db.shadowComparisons.positions("d1")).toEqual({ d1: "a", d2: "b" });
    await collect(db, { d1: "c" }, line("shadow", "r1", 0.75));
    expect(await db.shadowComparisons.read("d1")).toEqual({ ...compared, repeated_ids: 1 });
  });

  test("requests that a caller gives one id make no pair of different requests, and are counted", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const same = (side: Line["side"], ...predictions: number[]) =>
      predictions.map((prediction) => line(side, "same", prediction));
    await collect(db, { d1: "a", d2: "a" }, ...same("production", 1, 2, 3), ...same("shadow", 2, 3));
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 0, repeated_ids: 3 });
    await collect(db, { d1: "b", d2: "b" }, ...same("production", 4), ...same("shadow", 5));
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 0, repeated_ids: 5 });

    const pair = [line("production", "once", 1), line("shadow", "once", 1)];
    await collect(db, { d1: "c", d2: "c" }, ...pair);
    await collect(db, { d1: "d" }, line("shadow", "once", 7));
    await collect(db, { d2: "d" }, line("production", "once", 8));
    const compared = { pairs: 1, disagreements: 0, repeated_ids: 7 };
    expect(await db.shadowComparisons.read("d1")).toMatchObject(compared);
  });

  test("an answer from long before its id came again is no pair's", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const at = (second: number) => ({ answered_at: new Date(1000 * second).toISOString() });
    await collect(db, { d2: "a" }, { ...line("production", "r1", 1), ...at(0) });
    await collect(db, { d1: "a" }, { ...line("shadow", "r1", 2), ...at(60) });
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 0 });
    await collect(db, { d2: "b" }, { ...line("production", "r2", 1), ...at(60) });
    await collect(db, { d1: "b" }, { ...line("shadow", "r2", 1), ...at(61) });
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 1, disagreements: 0 });
  });

  test("whoever read from where somebody has read on already changes nothing", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const pair = (request: string) => [line("shadow", request, "a"), line("production", request, "b")];
    const both = ["first", "second"].map((to) =>
      db.shadowComparisons.collect("d1", { from: {}, to: { d1: to }, predictions: pair("r1") }),
    );
    await Promise.all(both);
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 1, disagreements: 1 });
  });
}

function describeWhatIsNoPair(open: OpenDatabase): void {
  test("of a shadow that was never compared nothing is known", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    expect(await db.shadowComparisons.read("d1")).toBeNull();
    expect(await db.shadowComparisons.positions("d1")).toEqual({});
  });

  test("a line that finds no counterpart within ten minutes is not waited for", async () => {
    const { db, passTime } = await open();
    await openEndpointWith(db, 1);
    await collect(db, { d1: "a" }, line("shadow", "early", 1), line("shadow", "late", 1));
    await passTime({ minutes: 9 });
    await collect(db, { d2: "b" }, line("production", "early", 1));
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 1 });
    await passTime({ minutes: 2 });
    await collect(db, { d2: "c" });
    await collect(db, { d2: "d" }, line("production", "late", 1));
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 1 });
  });

  test("what was read ten minutes ago is forgotten, though its shadow is not collected any more, and the rest is not", async () => {
    const { db, passTime } = await open();
    await openEndpointWith(db, 1);
    await collect(db, { d1: "a" }, line("shadow", "old", 1));
    await passTime({ minutes: 6 });
    await collect(db, { d1: "b" }, line("shadow", "young", 1));
    await db.shadowComparisons.forget();
    await passTime({ minutes: 5 });
    await db.shadowComparisons.forget();
    await collect(db, { d2: "b" }, line("production", "old", 1), line("production", "young", 1));
    expect(await db.shadowComparisons.read("d1")).toMatchObject({ pairs: 1 });
  });

  test("only a deployment can be compared", async () => {
    const { db } = await open();
    const nothing = { from: {}, to: {}, predictions: [] };
    await expect(db.shadowComparisons.collect("none", nothing)).rejects.toMatchObject({ code: "not_found" });
  });
}
