import { expect, test } from "vitest";
import {
  metricEvidenceSchema,
  type MetricSettings,
  usualMetricSettings,
} from "../../../src/agents/model_deployer/domain/evidence/team_metrics.ts";
import {
  addMetrics,
  metricProblem,
} from "../../../src/agents/model_deployer/judge/evidence/metric_evidence.ts";
import { failingMetric } from "../../../src/agents/model_deployer/judge/metric_verdict.ts";
import { settings } from "./looks.ts";

const usual: MetricSettings = { ...usualMetricSettings, query: "{{deployment}}", worse: "higher" };
const sharing = { generation: 1, share: 0.1, answer_seconds: 15 };

/** The evidence after windows with these readings of the candidate and the baseline. */
function after(metric: MetricSettings, windows: [Read, Read][]) {
  const metrics = { bytes: metric };
  let state = addMetrics({}, metrics, {}, sharing, 0);
  for (const [index, [candidate, baseline]] of windows.entries()) {
    state = addMetrics(state, metrics, { bytes: { candidate, baseline } }, sharing, (index + 1) * 60_000);
  }
  const { bytes } = state;
  return {
    bytes: bytes ?? expect.fail("no evidence"),
    fails: failingMetric({ metrics: state }, { ...settings, metrics }),
  };
}

interface Read {
  reading: { value: number };
  of: { value: number } | null;
}

const value = (number: number): Read => ({ reading: { value: number }, of: null });
const part = (marked: number, all: number): Read => ({ reading: { value: marked }, of: { value: all } });

test.each([1e155, 1e200, -1e300, Number.MAX_VALUE])(
  "a value of %d is named, and what is kept can be read",
  (huge) => {
    const { bytes } = after(usual, [
      ...Array.from({ length: 8 }, (): [Read, Read] => [value(1), value(1)]),
      [value(huge), value(1)],
    ]);
    expect(metricProblem(bytes, usual)).toBe(`${huge} is too large to be compared for the candidate`);
    expect(metricEvidenceSchema.parse(JSON.parse(JSON.stringify(bytes)))).toEqual(bytes);
  },
);

test("large values of both signs stay numbers", () => {
  const { bytes } = after(
    usual,
    Array.from({ length: 50 }, (_, index): [Read, Read] => [value((-1) ** index * 1e100), value(-1e100)]),
  );
  expect(metricEvidenceSchema.parse(JSON.parse(JSON.stringify(bytes)))).toEqual(bytes);
});

test("shares of bytes are compared as those of requests are, whatever they count", () => {
  const share = { ...usual, of: "{{deployment}}" };
  const counted = (all: number, marked: number) =>
    after(
      share,
      Array.from({ length: 60 }, (): [Read, Read] => [part(marked * all, all), part(0.1 * all, 9 * all)]),
    );
  expect(counted(1e16, 0.5).fails).toBe("bytes");
  expect(
    after(
      share,
      Array.from({ length: 60 }, (): [Read, Read] => [part(1e15, 1e16), part(9e15, 9e16)]),
    ).fails,
  ).toBeNull();
});
