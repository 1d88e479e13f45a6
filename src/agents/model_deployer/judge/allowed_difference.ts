import type { JudgeSettings, JudgeState, Lately, Signal } from "../domain/evidence/judgement.ts";
import type { Answers } from "../domain/evidence/figures.ts";
import { errorRate } from "./counts/answers.ts";
import { QUANTILES, quantileOf } from "./signals.ts";

/**
 * Whether the difference exceeds the allowed one: overall, in the answers that the evidence comes from, or beyond chance
 * among the newest answers, so that neither a good past nor a long tolerated one hides anything.
 */
export function differs(state: JudgeState, settings: JudgeSettings, signal: Signal): boolean {
  if (signal === "latency") return slowerAt(state, settings) !== null;
  const rate = (side: Answers) => errorRate({ requests: side.requests, errors: side[signal] });
  const { since } = state.evidence[signal];
  const overall = rate(state.candidate) - rate(state.baseline);
  const observed = Math.max(overall, rate(since.candidate) - rate(since.baseline));
  return Math.max(observed, leastDifference(state.lately, signal)) >= settings.effect_floor;
}

/** How many standard errors the newest answers have to lie beyond what is allowed. */
const DEVIATIONS = 3;
/** Fewer of the newest answers say nothing by themselves. */
const FEWEST_LATELY = 100;

/** The smallest plausible difference of both sides' rates among the newest answers. */
function leastDifference(
  { candidate, baseline }: JudgeState["lately"],
  signal: "errors" | "client_errors",
): number {
  if (Math.min(candidate.requests, baseline.requests) < FEWEST_LATELY) return 0;
  const rate = (side: Lately) => errorRate({ requests: side.requests, errors: side[signal] });
  const variance = (side: Lately) => (rate(side) * (1 - rate(side))) / side.requests;
  const error = Math.sqrt(variance(candidate) + variance(baseline));
  return rate(candidate) - rate(baseline) - DEVIATIONS * error;
}

/** The quantile at which the candidate is slower by more than is allowed; null where it is so at none. */
export function slowerAt({ evidence, lately }: JudgeState, settings: JudgeSettings): number | null {
  const { since } = evidence.latency;
  const { maximum_latency_ratio: ratio, latency_floor_ms: floor } = settings;
  if (ratio === null) return null;
  const exceeds = (candidate: number | null, baseline: number | null): boolean =>
    candidate !== null && baseline !== null && candidate >= ratio * baseline && candidate - baseline >= floor;
  const found = QUANTILES.find(
    ({ quantile }) =>
      exceeds(quantileOf(since.candidate.latency, quantile), quantileOf(since.baseline.latency, quantile)) ||
      exceeds(leastQuantile(lately.candidate, quantile), quantileOf(lately.baseline.latency, quantile)),
  );
  return found?.quantile ?? null;
}

/** The smallest plausible value of a quantile among the newest answers; null where they are too few. */
function leastQuantile({ latency }: Lately, quantile: number): number | null {
  const all = latency.reduce((sum, count) => sum + count, 0);
  if (all < FEWEST_LATELY) return null;
  const error = Math.sqrt((quantile * (1 - quantile)) / all);
  return quantileOf(latency, Math.max(0, quantile - DEVIATIONS * error));
}
