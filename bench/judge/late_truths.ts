import {
  type ComparableAnswer,
  type Measure,
  noOutcomes,
  type Outcome,
  type OutcomeEvidence,
} from "../../src/agents/model_deployer/domain/evidence/late_outcomes.ts";
import {
  addOutcomes,
  logOutcomeEvidence,
} from "../../src/agents/model_deployer/judge/evidence/outcome_evidence.ts";
import { isWorseByOutcomes } from "../../src/agents/model_deployer/judge/outcome_verdict.ts";
import { OUTCOMES_SHARE } from "../../src/agents/model_deployer/judge/signals.ts";
import { lossWorseByAtMost } from "../../src/agents/model_deployer/judge/evidence/outcome_bound.ts";
import { lossOf } from "../../src/agents/model_deployer/judge/evidence/outcome_loss.ts";
import { randomFrom } from "./random.ts";

/** Predictions and their outcomes, drawn request by request. */
export interface Truths {
  name: string;
  measure: Measure;
  /** The difference of expected losses, where it is known. */
  real?: number;
  /** @param index of the request, of so many */
  draw: (
    random: () => number,
    side: "candidate" | "baseline",
    index: number,
  ) => [prediction: number, outcome: Outcome];
}

const wrong = (random: () => number, rate: number): [number, Outcome] => [random() < rate ? 0 : 1, 1];

/** A score that is off by up to so much, of an outcome that happens as often as it should. */
function scored(random: () => number, off: number): [number, Outcome] {
  const chance = random();
  const score = Math.min(0.99, Math.max(0.01, chance + 2 * off * (random() - 0.5)));
  return [score, random() < chance ? 1 : 0];
}

const numbered = (random: () => number, size: number): [number, Outcome] => [
  size * -Math.log(1 - random()) * (random() < 0.5 ? -1 : 1),
  0,
];

/** Rows get harder and easier again, over a thousand requests. */
const swing = (index: number): number => 0.05 + 0.4 * ((index / 1000) % 1);

export const alike: Truths[] = [
  { name: "both 95 % right", measure: "accuracy", draw: (random) => wrong(random, 0.05) },
  { name: "both 70 % right", measure: "accuracy", draw: (random) => wrong(random, 0.3) },
  {
    name: "from 95 to 55 % right and back",
    measure: "accuracy",
    draw: (random, _, at) => wrong(random, swing(at)),
  },
  { name: "scores off by up to .2", measure: "brier", draw: (random) => scored(random, 0.2) },
  { name: "scores that get worse", measure: "log_loss", draw: (random, _, at) => scored(random, swing(at)) },
  { name: "errors of numbers", measure: "absolute_error", draw: (random) => numbered(random, 10) },
  {
    name: "errors that grow ten times",
    measure: "absolute_error",
    draw: (random, _, at) => numbered(random, 1 + at / 400),
  },
];

const of = (side: string, candidate: number, baseline: number) =>
  side === "candidate" ? candidate : baseline;

export const worse: Truths[] = [
  {
    name: "85 % right against 95 %",
    measure: "accuracy",
    real: 0.1,
    draw: (random, side) => wrong(random, of(side, 0.15, 0.05)),
  },
  {
    name: "92 % right against 95 %",
    measure: "accuracy",
    real: 0.03,
    draw: (random, side) => wrong(random, of(side, 0.08, 0.05)),
  },
  {
    name: "60 % right against 70 %",
    measure: "accuracy",
    real: 0.1,
    draw: (random, side) => wrong(random, of(side, 0.4, 0.3)),
  },
  {
    name: "never right against 95 %",
    measure: "accuracy",
    real: 0.95,
    draw: (random, side) => wrong(random, of(side, 1, 0.05)),
  },
  {
    name: "scores off by up to .6 against .1",
    measure: "brier",
    draw: (random, side) => scored(random, of(side, 0.6, 0.1)),
  },
  {
    name: "errors twice as large",
    measure: "absolute_error",
    draw: (random, side) => numbered(random, of(side, 2, 1)),
  },
  {
    name: "errors 1.2 times as large",
    measure: "absolute_error",
    draw: (random, side) => numbered(random, of(side, 1.2, 1)),
  },
];

const SIDES = { candidate_id: "candidate", baseline_id: "baseline" };
const SHARE = 0.2;
const TOLD_AT_ONCE = 50;
const BEFORE = "2026-01-01T00:00:00Z";
const DURING = "2026-01-01T12:00:00Z";
const STRETCHES = [
  { generation: 1, weights: { candidate: 20, baseline: 80 }, from: BEFORE, to: "2026-01-02T00:00:00Z" },
];

/** After how many outcomes of both sides the candidate was failed; null where it never was. */
export interface Told {
  judge: number | null;
  zTest: number | null;
  /** The bound that was excluded in the end lies below the real difference, though it is to hold at every look. */
  isBoundWrong: boolean;
}

/** A fifth of the requests goes to the candidate, and fifty outcomes are told at once. */
export function tellOnce(
  { measure, draw, real }: Truths,
  seed: number,
  outcomes: number,
  alpha: number,
): Told {
  const random = randomFrom(seed);
  const settings = { measure, worse_by: 0.01 };
  const enough = -Math.log(alpha * OUTCOMES_SHARE);
  const sums = new RunningSums();
  let evidence: OutcomeEvidence = noOutcomes;
  const found: Told = { judge: null, zTest: null, isBoundWrong: false };
  for (let told = TOLD_AT_ONCE; told <= outcomes; told += TOLD_AT_ONCE) {
    const answers = Array.from({ length: TOLD_AT_ONCE }, (_, index): ComparableAnswer => {
      const side = random() < SHARE ? "candidate" : "baseline";
      const [prediction, outcome] = draw(random, side, told - TOLD_AT_ONCE + index);
      const answer = { prediction, score: prediction, has_failed: false };
      sums.add(side, lossOf(answer, outcome, measure) ?? 0);
      return { ...answer, deployment_id: side, answered_at: DURING, outcome };
    });
    evidence = addOutcomes(evidence, answers, STRETCHES, SIDES, settings);
    const isFailed = logOutcomeEvidence(evidence) >= enough && isWorseByOutcomes(evidence, settings);
    if (isFailed) found.judge ??= told;
    if (sums.isWorse()) found.zTest ??= told;
    const bound = lossWorseByAtMost(evidence.excluded, alpha);
    if (bound !== null && real !== undefined && bound < real) found.isBoundWrong = true;
  }
  return found;
}

/** A one-sided z-test of the means at 1 %, at each look. */
class RunningSums {
  readonly #sums = { candidate: [0, 0, 0], baseline: [0, 0, 0] };

  add(side: "candidate" | "baseline", loss: number): void {
    const [count = 0, sum = 0, squares = 0] = this.#sums[side];
    this.#sums[side] = [count + 1, sum + loss, squares + loss * loss];
  }

  isWorse(): boolean {
    const [own, other] = [this.#sums.candidate, this.#sums.baseline].map(
      ([count = 0, sum = 0, squares = 0]) => {
        const mean = sum / count;
        return { count, mean, error: (squares / count - mean * mean) / count };
      },
    );
    if (own === undefined || other === undefined || own.count < 20 || other.count < 20) return false;
    return own.mean - other.mean > 2.326 * Math.sqrt(own.error + other.error);
  }
}
