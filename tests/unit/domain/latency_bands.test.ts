import fc from "fast-check";
import { expect, test } from "vitest";
import { isSlower, latencyBands } from "../../../src/agents/model_deployer/domain/latency_bands.ts";
import { LATENCY_BOUNDS_MS } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { aRollout } from "../../support/given_facts.ts";

const settings = aRollout().judge;

/** So many answers in the bin whose upper bound is named. */
function countsOf(bins: Record<number, number>): number[] {
  return [...LATENCY_BOUNDS_MS.map((bound) => bins[bound] ?? 0), bins[Infinity] ?? 0];
}

test("a candidate whose answers take five times as long is slower beyond doubt", () => {
  const bands = latencyBands(
    { candidate: countsOf({ 50: 950, 100: 50 }), baseline: countsOf({ 10: 2970, 20: 30 }) },
    0.02,
  );
  expect(bands).toEqual({ candidate_p99_above_ms: 80, baseline_p99_at_most_ms: 20 });
  expect(isSlower(bands, settings)).toBe(true);
});

test("answers that took longer than all bounds count as slower than the last one", () => {
  const bands = latencyBands({ candidate: countsOf({ [Infinity]: 40 }), baseline: [] }, 0.02);
  expect(bands).toEqual({ candidate_p99_above_ms: 15_000, baseline_p99_at_most_ms: null });
});

test("without enough answers nothing is told, and what can't be told is not slower", () => {
  expect(latencyBands({ candidate: [], baseline: [] }, 0.02)).toEqual({
    candidate_p99_above_ms: null,
    baseline_p99_at_most_ms: null,
  });
  const few = latencyBands({ candidate: countsOf({ 500: 2 }), baseline: countsOf({ 10: 300 }) }, 0.02);
  expect(few).toMatchObject({ baseline_p99_at_most_ms: null });
  expect(isSlower(few, settings)).toBe(false);
});

test.each([
  ["twice as slow, and by more than the floor", 20, 10, true],
  ["less than twice", 15, 10, false],
  ["by less than the floor", 8, 4, false],
])("%s", (_what, candidate, baseline, slower) => {
  const bands = { candidate_p99_above_ms: candidate, baseline_p99_at_most_ms: baseline };
  expect(isSlower(bands, settings)).toBe(slower);
  expect(isSlower(bands, { ...settings, maximum_latency_ratio: null })).toBe(false);
});

/** Mulberry32: small, seeded, good enough to draw latencies with. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Exponential with the given mean: its p99 is 4.6 times that. */
const drawMs = (random: () => number, mean: number) => -mean * Math.log(1 - random());
const binOf = (ms: number) => {
  const bin = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
  return bin === -1 ? LATENCY_BOUNDS_MS.length : bin;
};

test("simulated over many looks, the bands leave out the true p99 less often than alpha", () => {
  const alpha = 0.05;
  const mean = 20;
  const truth = -mean * Math.log(0.01);
  const wrong = Array.from({ length: 200 }, (_, run) => {
    const random = randomFrom(run + 1);
    const counts = countsOf({});
    for (let look = 0; look < 100; look += 1) {
      for (let answer = 0; answer < 50; answer += 1) {
        const bin = binOf(drawMs(random, mean));
        counts[bin] = (counts[bin] ?? 0) + 1;
      }
      const bands = latencyBands({ candidate: counts, baseline: counts }, alpha);
      const isAbove = (bands.candidate_p99_above_ms ?? 0) > truth;
      const isBelow = (bands.baseline_p99_at_most_ms ?? Infinity) < truth;
      if (isAbove || isBelow) return true;
    }
    return false;
  });
  expect(wrong.filter(Boolean).length / wrong.length).toBeLessThanOrEqual(alpha);
});

test("bands never cross: what is beyond doubt above is never beyond doubt at most that", () => {
  const bins = fc.array(fc.integer({ min: 0, max: 500 }), {
    minLength: LATENCY_BOUNDS_MS.length + 1,
    maxLength: LATENCY_BOUNDS_MS.length + 1,
  });
  fc.assert(
    fc.property(bins, (counts) => {
      const bands = latencyBands({ candidate: counts, baseline: counts }, 0.05);
      const { candidate_p99_above_ms: above, baseline_p99_at_most_ms: atMost } = bands;
      expect((above ?? 0) < (atMost ?? Infinity)).toBe(true);
    }),
    { seed: 31 },
  );
});
