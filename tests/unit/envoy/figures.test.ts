import { expect, test } from "vitest";
import { LATENCY_BOUNDS_MS } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { toLatencyCounts } from "../../../src/mlops/envoy/figures.ts";

/** Under which bound an answer of a range that ends at `to` is counted; undefined for slower than all. */
const boundOf = (to: number) => LATENCY_BOUNDS_MS[toLatencyCounts([{ to, count: 1 }]).indexOf(1)];

test("answers of 100 to 110 ms are not said to have taken at most 100 ms", () => {
  expect(boundOf(100)).toBe(100);
  expect(boundOf(110)).toBe(120);
  expect(boundOf(15_000)).toBe(15_000);
  expect(boundOf(16_000)).toBeUndefined();
});

test("each answer is counted once", () => {
  const counts = toLatencyCounts([
    { to: 1.1, count: 2 },
    { to: 2, count: 3 },
    { to: 99_000, count: 4 },
  ]);
  expect(counts).toHaveLength(LATENCY_BOUNDS_MS.length + 1);
  expect(counts[1]).toBe(5);
  expect(counts.at(-1)).toBe(4);
});
