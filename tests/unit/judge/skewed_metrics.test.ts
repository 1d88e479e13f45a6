import { expect, test } from "vitest";
import { usualMetricSettings } from "../../../src/agents/model_deployer/domain/evidence/team_metrics.ts";
import { addMetrics } from "../../../src/agents/model_deployer/judge/evidence/metric_evidence.ts";
import { failingMetric } from "../../../src/agents/model_deployer/judge/metric_verdict.ts";
import { binomialFrom, normalFrom, randomFrom } from "../../../bench/judge/random.ts";
import { settings } from "./looks.ts";

const metrics = { revenue: { ...usualMetricSettings, query: "{{deployment}}", worse: "lower" as const } };
const sharing = { generation: 1, share: 0.1, answer_seconds: 15 };
const RUNS = 60;
const WINDOWS = 240;

/** Revenue per request, of which a few make most: the mean over few requests mostly lies below that over many. */
function revenue(random: () => number, requests: number, buying: number): number {
  const orders = Array.from({ length: binomialFrom(random, requests, buying) }, () => normalFrom(random));
  return orders.reduce((sum, order) => sum + 50 * Math.exp(order), 0) / requests;
}

/** In how many runs the candidate is failed, of which so many buy. */
function failed(candidate: number, baseline: number): number {
  return Array.from({ length: RUNS }, (_, run) => {
    const random = randomFrom(run);
    let state = addMetrics({}, metrics, {}, sharing, 0);
    for (let window = 1; window <= WINDOWS; window += 1) {
      const read = (requests: number, buying: number) => ({
        reading: { value: revenue(random, requests, buying) },
        of: null,
      });
      const readings = { revenue: { candidate: read(60, candidate), baseline: read(540, baseline) } };
      state = addMetrics(state, metrics, readings, sharing, window * 60_000);
      if (failingMetric({ metrics: state }, { ...settings, metrics }) !== null) return 1;
    }
    return 0;
  }).reduce<number>((sum, one) => sum + one, 0);
}

test("a mean of few requests that is mostly below that of many fails nobody", () => {
  expect(failed(0.02, 0.02)).toBeLessThanOrEqual(1);
});

test("one that sells half as much is found", () => {
  expect(failed(0.05, 0.1)).toBeGreaterThan(0.9 * RUNS);
});
