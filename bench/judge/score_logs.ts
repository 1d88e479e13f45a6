import { noPredictions } from "../../src/agents/model_deployer/domain/evidence/compared_predictions.ts";
import {
  addPredictions,
  type ReadLogs,
} from "../../src/agents/model_deployer/judge/evidence/prediction_evidence.ts";
import { arePredictionsShifted } from "../../src/agents/model_deployer/judge/prediction_verdict.ts";
import { PREDICTIONS_SHARE } from "../../src/agents/model_deployer/judge/signals.ts";
import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { normalFrom, randomFrom } from "./random.ts";
import type { Side } from "./traffic.ts";

/** Predictions that both sides log, second by second. */
export interface ScoreLogs {
  name: string;
  draw: (random: () => number, side: Side, second: number) => number | string;
}

/** The longest that a request is under way by default. */
const ANSWER_SECONDS = 15;

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
/** Scores whose centre moves with what callers ask. */
const score = (random: () => number, centre: number): number => logistic(centre + normalFrom(random));
const classOf = (random: () => number, first: number): string => (random() < first ? "yes" : "no");
const swing = (second: number): number => 1.5 * Math.sin((2 * Math.PI * second) / 300);
const moved = (side: Side, by: number): number => (side === "candidate" ? by : 0);

export const alikeScores: readonly ScoreLogs[] = [
  { name: "scores as ever", draw: (random) => score(random, 0) },
  { name: "callers ask other things by the minute", draw: (random, _, at) => score(random, swing(at)) },
  {
    name: "callers ask other things from one second to the next",
    draw: (random, _, at) => score(random, at % 40 < 20 ? -2 : 2),
  },
  { name: "two classes, one of them rare", draw: (random) => classOf(random, 0.02) },
];

export const shiftedScores: readonly ScoreLogs[] = [
  { name: "always the same score", draw: (random, side) => (side === "candidate" ? 0.5 : score(random, 0)) },
  { name: "scores shifted by 38 % of the answers", draw: (random, side) => score(random, moved(side, 1)) },
  { name: "scores shifted by 15 %", draw: (random, side) => score(random, moved(side, 0.38)) },
  {
    name: "a class of 2 % in place of 20 %",
    draw: (random, side) => classOf(random, side === "candidate" ? 0.02 : 0.2),
  },
];

export interface ScoresFound {
  judge: number | null;
  /** By the population stability index of all so far against what the baseline predicted before, over .2. */
  stability: number | null;
}

const A_SECOND = { candidate: 2, baseline: 18 } as const;
const BEFORE = 500;
const settings = { ...defaultJudgeSettings, predictions: { maximum_shift: 0.1 } };
const ENOUGH = -Math.log(settings.alpha * PREDICTIONS_SHARE);

/** 20 predictions a second, a tenth of them of the candidate, which has to shift a tenth of the answers to be failed. */
export function readLogsOnce({ draw }: ScoreLogs, seed: number, seconds: number): ScoresFound {
  const random = randomFrom(seed);
  const line = (side: Side, second: number) => {
    const value = draw(random, side, second);
    return {
      prediction: value,
      score: typeof value === "number" ? value : null,
      answered_at: new Date(second * 1000).toISOString(),
    };
  };
  const logs = (second: number, count: (side: Side) => number): ReadLogs => {
    const of = (side: Side) => ({
      deployment_id: side,
      predictions: Array.from({ length: count(side) }, () => line(side, second)),
      position: null,
    });
    return { candidate: of("candidate"), baseline: of("baseline") };
  };
  const sharing = { generation: 1, share: 0.1, answer_seconds: ANSWER_SECONDS };
  const past = logs(0, (side) => (side === "baseline" ? BEFORE : 0));
  const index = new StabilityIndex(past.baseline.predictions.map(({ prediction }) => prediction));
  let state = addPredictions(noPredictions, past, sharing, 0);
  const found: ScoresFound = { judge: null, stability: null };
  for (let second = 1; second <= seconds; second += 1) {
    const drawn = sharesDrawn(random);
    const now = logs(second, (side) => drawn[side]);
    state = addPredictions(state, now, sharing, second * 1000);
    if (arePredictionsShifted({ predictions: state }, settings, ENOUGH)) found.judge ??= second;
    for (const { prediction } of now.candidate.predictions) index.add(prediction);
    if (index.value() > 0.2) found.stability ??= second;
    if (found.judge !== null && found.stability !== null) break;
  }
  return found;
}

function sharesDrawn(random: () => number): Record<Side, number> {
  const all = A_SECOND.candidate + A_SECOND.baseline;
  const candidate = Array.from({ length: all }, () => Number(random() < 0.1)).reduce((a, b) => a + b, 0);
  return { candidate, baseline: all - candidate };
}

/** Over ten bins of the past's quantiles, or its classes; asked for from 100 predictions on. */
class StabilityIndex {
  readonly #bounds: number[];
  readonly #expected = new Map<string, number>();
  readonly #seen = new Map<string, number>();
  #count = 0;

  constructor(past: readonly unknown[]) {
    const scores = past.filter((one) => typeof one === "number").sort((a, b) => a - b);
    this.#bounds = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(
      (tenth) => scores[Math.floor((tenth * scores.length) / 10)] ?? 0,
    );
    for (const one of past) {
      const bin = this.#binOf(one);
      this.#expected.set(bin, (this.#expected.get(bin) ?? 0) + 1 / past.length);
    }
  }

  add(prediction: unknown): void {
    const bin = this.#binOf(prediction);
    this.#seen.set(bin, (this.#seen.get(bin) ?? 0) + 1);
    this.#count += 1;
  }

  value(): number {
    if (this.#count < 100) return 0;
    return [...this.#expected].reduce((sum, [bin, expected]) => {
      const seen = Math.max(1e-4, (this.#seen.get(bin) ?? 0) / this.#count);
      return sum + (seen - expected) * Math.log(seen / expected);
    }, 0);
  }

  #binOf(prediction: unknown): string {
    if (typeof prediction !== "number") return String(prediction);
    return String(this.#bounds.filter((bound) => prediction > bound).length);
  }
}
