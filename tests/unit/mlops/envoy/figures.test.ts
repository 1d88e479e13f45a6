import { describe, expect, test } from "vitest";
import { LATENCY_BOUNDS_MS } from "../../../../src/agents/model_deployer/domain/evidence/figures.ts";
import { toCounts, toLatencyCounts } from "../../../../src/mlops/envoy/version_figures.ts";

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

const figuresOf = (counts: Record<string, number>) => {
  const values = new Map(Object.entries(counts).map(([name, value]) => [`cluster.model.${name}`, value]));
  return toCounts({ values, histograms: new Map() }, "model");
};

test("what callers gave up is none of what ran out of time, nor of what was answered with no HTTP", () => {
  const figures = figuresOf({
    upstream_rq_completed: 10,
    upstream_rq_5xx: 6,
    upstream_rq_timeout: 4,
    upstream_cx_protocol_error: 2,
    upstream_rq_cancelled: 1,
    upstream_cx_destroy_local_with_active_rq: 12,
  });
  expect(figures).toMatchObject({ requests: 10, errors: 6, timeouts: 4, given_up: 7 });
});

describe("a request that a server broke off", () => {
  test("is an error of the deployment, though another server answered it", () => {
    const figures = figuresOf({
      upstream_rq_completed: 100,
      upstream_rq_retry_success: 3,
      upstream_cx_destroy_remote_with_active_rq: 3,
    });
    expect(figures).toMatchObject({ requests: 100, errors: 3, resets: 3 });
  });

  test("is one error where the other server broke it off as well", () => {
    const figures = figuresOf({
      upstream_rq_completed: 10,
      upstream_rq_5xx: 10,
      upstream_cx_destroy_remote_with_active_rq: 20,
    });
    expect(figures).toMatchObject({ requests: 10, errors: 10, resets: 10 });
  });

  test("is one error where the other server answered it with an error", () => {
    const figures = figuresOf({
      upstream_rq_completed: 10,
      upstream_rq_5xx: 10,
      upstream_rq_retry_success: 10,
      upstream_cx_destroy_remote_with_active_rq: 10,
    });
    expect(figures).toMatchObject({ requests: 10, errors: 10 });
  });

  test("is not what a request is that met a closed port and was answered by another server", () => {
    const figures = figuresOf({
      upstream_rq_completed: 10,
      upstream_rq_retry_success: 4,
      upstream_rq_pending_failure_eject: 4,
    });
    expect(figures).toMatchObject({ requests: 10, errors: 0, resets: 0 });
  });
});
