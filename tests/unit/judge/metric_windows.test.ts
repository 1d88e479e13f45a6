import { expect, test } from "vitest";
import { usualMetricSettings } from "../../../src/agents/model_deployer/domain/evidence/team_metrics.ts";
import { addMetrics, windowOver } from "../../../src/agents/model_deployer/judge/evidence/metric_evidence.ts";

const flagged = {
  ...usualMetricSettings,
  query: "{{deployment}}",
  worse: "higher" as const,
  every_seconds: 60,
};
const sharing = { generation: 2, share: 0.5 };

test.each([15, 3601])(
  "where a request may be under way for %d s, the first window under new weights begins after that",
  (answer_seconds) => {
    const state = addMetrics({}, { flagged }, {}, { ...sharing, answer_seconds }, 0);
    const over = (seconds: number) => windowOver(state["flagged"], flagged, sharing, seconds * 1000);
    expect(over(answer_seconds + 60)).toBeNull();
    expect(over(answer_seconds + 61)).toBe(60);
  },
);
