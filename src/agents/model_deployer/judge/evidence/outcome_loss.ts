import type { Answered, Measure, Outcome } from "../../domain/evidence/late_outcomes.ts";

/** Scores are no nearer to 0 and 1 than this for the logarithm, so that one certain mistake is no infinite loss. */
const LEAST_SCORE = 1e-4;
const MOST_LOG_LOSS = -Math.log(LEAST_SCORE);
/** Larger errors count as this, so that their squares stay numbers. */
const MOST_ERROR = 1e100;

/** The largest loss, which is also what an answer without a prediction costs; an error of a number has none. */
export const MOST_LOSS: Record<Measure, number | null> = {
  accuracy: 1,
  brier: 1,
  log_loss: MOST_LOG_LOSS,
  absolute_error: null,
};

/** From so many losses on it is known which are far out, and that is so beyond this multiple of their 90 % quantile. */
const FEWEST_FOR_A_CUT = 20;
const FAR_OUT = 20;

/**
 * The most that a loss counts for among those of both sides together, so that one outcome of a wrong unit, or one that
 * stands for "unknown", does not hide all others; whose it is plays no part in that. Measures with a largest loss need none.
 */
export function mostAmong(losses: readonly number[], measure: Measure): number {
  if (MOST_LOSS[measure] !== null || losses.length < FEWEST_FOR_A_CUT) return Infinity;
  const usual = losses.toSorted((a, b) => a - b)[Math.floor(0.9 * losses.length)] ?? 0;
  return usual === 0 ? Infinity : FAR_OUT * usual;
}

/**
 * The loss of one answer once its outcome is known, the mean one for a request of several rows; null where the measure
 * cannot compare the two.
 */
export function lossOf(answer: Answered, outcome: Outcome, measure: Measure): number | null {
  if (answer.has_failed || hasNoPrediction(answer)) return MOST_LOSS[measure];
  const wanted = Array.isArray(outcome) ? outcome : [outcome];
  const predicted = rowsOf(answer, measure);
  if (predicted.length !== wanted.length) return null;
  const losses = wanted.map((truth, index) => LOSS[measure](predicted[index], truth));
  const known = losses.filter((loss) => loss !== null);
  return known.length < losses.length ? null : known.reduce((sum, loss) => sum + loss, 0) / known.length;
}

/** `null` is no way out of a mistake: left out, it would make whoever says so in hard cases look better. */
const hasNoPrediction = ({ prediction, score }: Answered): boolean =>
  (prediction ?? null) === null && score === null;

function rowsOf({ prediction, score }: Answered, measure: Measure): unknown[] {
  const isScored = (measure === "brier" || measure === "log_loss") && score !== null;
  const value: unknown = isScored ? score : prediction;
  return Array.isArray(value) ? value : [value];
}

type Scalar = Exclude<Outcome, unknown[]>;

const LOSS: Record<Measure, (predicted: unknown, truth: Scalar) => number | null> = {
  accuracy: (predicted, truth) => {
    const label = labelOf(predicted);
    return label === null ? null : Number(label !== labelOf(truth));
  },
  brier: (predicted, truth) => ofScore(predicted, truth, (score, hit) => (score - hit) ** 2),
  log_loss: (predicted, truth) =>
    ofScore(
      predicted,
      truth,
      (score, hit) => -Math.log(Math.max(LEAST_SCORE, hit === 1 ? score : 1 - score)),
    ),
  absolute_error: (predicted, truth) => {
    const isNumber = typeof predicted === "number" && typeof truth === "number";
    return isNumber ? Math.min(MOST_ERROR, Math.abs(predicted - truth)) : null;
  },
};

/** Classes by their text, however it is written: a file says `1`, `1.0` or `true` where a model says 1, "01" or true. */
function labelOf(value: unknown): string | null {
  if (typeof value === "boolean") return String(Number(value));
  if (typeof value === "number") return String(value);
  if (typeof value !== "string") return null;
  if (value === "true" || value === "false") return String(Number(value === "true"));
  const number = NUMBER.test(value) ? Number(value) : NaN;
  // Of longer ids a number would be another one.
  return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? String(number) : value;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function ofScore(
  predicted: unknown,
  truth: Scalar,
  loss: (score: number, hit: 0 | 1) => number,
): number | null {
  const hit = labelOf(truth);
  if (typeof predicted !== "number" || (hit !== "0" && hit !== "1")) return null;
  // A score outside 0 and 1 says nothing, and loses as much as a certain mistake.
  const score = predicted >= 0 && predicted <= 1 ? predicted : Number(hit === "0");
  return loss(score, hit === "1" ? 1 : 0);
}
