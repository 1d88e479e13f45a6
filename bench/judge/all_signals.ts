import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { noPredictions } from "../../src/agents/model_deployer/domain/evidence/compared_predictions.ts";
import {
  type ComparableAnswer,
  noOutcomes,
} from "../../src/agents/model_deployer/domain/evidence/late_outcomes.ts";
import { usualMetricSettings } from "../../src/agents/model_deployer/domain/evidence/team_metrics.ts";
import { addMetrics } from "../../src/agents/model_deployer/judge/evidence/metric_evidence.ts";
import { addOutcomes } from "../../src/agents/model_deployer/judge/evidence/outcome_evidence.ts";
import { addPredictions } from "../../src/agents/model_deployer/judge/evidence/prediction_evidence.ts";
import { newJudgeState, observe } from "../../src/agents/model_deployer/judge/observe.ts";
import { failedBy } from "../../src/agents/model_deployer/judge/verdict.ts";
import { normalFrom, randomFrom } from "./random.ts";
import { type Side, Traffic } from "./traffic.ts";

/** Innocent traffic, of which all signals are compared at once. */
export interface AllSignals {
  name: string;
  failureRate: (second: number) => number;
}

const isOut = (second: number): boolean => second % 120 >= 60 && second % 120 < 70;

export const allSignals: readonly AllSignals[] = [
  { name: "all signals at once, both fail 5 %", failureRate: () => 0.05 },
  {
    name: "all signals at once, 60 % fail for 10 s of 120",
    failureRate: (second) => (isOut(second) ? 0.6 : 0.007),
  },
];

const sides = { candidate_id: "candidate", baseline_id: "baseline" };
const metrics = {
  clicks: { ...usualMetricSettings, query: "{{deployment}}", worse: "lower" as const, every_seconds: 10 },
};
const settings = {
  ...defaultJudgeSettings,
  outcomes: { measure: "accuracy" as const, minimum_outcomes: 0, worse_by: 0.01, sample: 1 },
  predictions: { maximum_shift: 0.1 },
  metrics,
};
const SHARE = 0.1;
const sharing = { generation: 1, share: SHARE, answer_seconds: 15 };
const STRETCHES = [
  {
    generation: 1,
    weights: { candidate: 10, baseline: 90 },
    from: "2026-01-01T00:00:00Z",
    to: "2026-01-03T00:00:00Z",
  },
];
const TOLD_AT = "2026-01-02T00:00:00Z";
const SCORES_A_SECOND = 20;

/** The second in which the candidate was failed; null where it never was. */
export function judgeAllOnce({ failureRate }: AllSignals, seed: number, seconds: number): number | null {
  const random = randomFrom(seed);
  const scenario = { name: "", requests: 100, share: SHARE, failureRate, refusalRate: () => 0.02 };
  const traffic = new Traffic(scenario, random);
  traffic.before(2000);
  const drawn = new DrawnSignals(random);
  let state = newJudgeState(traffic.figures(), "baseline");
  state = { ...state, metrics: addMetrics({}, metrics, {}, sharing, 0), outcomes: noOutcomes };
  state = { ...state, predictions: addPredictions(noPredictions, drawn.logs(0, 500, 0), sharing, 0) };
  for (let second = 1; second <= seconds; second += 1) {
    traffic.pass(second);
    state = observe(state, traffic.figures(), sides, sharing, settings);
    const read = drawn.logsOf(SCORES_A_SECOND, second);
    const readings = second % 10 === 0 ? drawn.readings() : {};
    state = {
      ...state,
      predictions: addPredictions(state.predictions ?? noPredictions, read, sharing, second * 1000),
      outcomes: addOutcomes(
        state.outcomes ?? noOutcomes,
        drawn.outcomes(5),
        STRETCHES,
        sides,
        settings.outcomes,
      ),
      metrics: addMetrics(state.metrics, metrics, readings, sharing, second * 1000),
    };
    if (failedBy(state, settings) !== null) return second;
  }
  return null;
}

/** What comes of two sides that are alike, drawn. */
class DrawnSignals {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  logs(candidate: number, baseline: number, at: number) {
    return {
      candidate: { deployment_id: "candidate", predictions: this.#scores(candidate, at), position: null },
      baseline: { deployment_id: "baseline", predictions: this.#scores(baseline, at), position: null },
    };
  }

  logsOf(requests: number, at: number) {
    const own = Array.from({ length: requests }, () => this.#side()).filter((one) => one === "candidate");
    return this.logs(own.length, requests - own.length, at);
  }

  outcomes(count: number): ComparableAnswer[] {
    return Array.from({ length: count }, () => {
      const right = this.#random() > 0.1;
      const answer = { prediction: right ? 1 : 0, score: null, has_failed: false, outcome: 1 };
      return { ...answer, deployment_id: this.#side(), answered_at: TOLD_AT };
    });
  }

  readings() {
    return { clicks: { candidate: this.#clicks(100), baseline: this.#clicks(900) } };
  }

  #scores(count: number, at: number) {
    return Array.from({ length: count }, () => {
      const score = this.#random();
      return { prediction: score, score, answered_at: new Date(at * 1000).toISOString() };
    });
  }

  #clicks(answers: number) {
    return { reading: { value: 0.3 + normalFrom(this.#random) / Math.sqrt(answers) }, of: null };
  }

  #side(): Side {
    return this.#random() < SHARE ? "candidate" : "baseline";
  }
}
