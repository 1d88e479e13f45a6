import { logMixtureEvidence } from "./bernoulli_evidence.ts";
import { type JudgeSettings, type JudgeState, LATENCY_BOUNDS_MS, type LatencyBands } from "./rollout.ts";

/**
 * Bounds of both sides' p99 that hold at any number of looks, from counts by bin.
 *
 * "The p99 is at most b" says that one answer in a hundred, at most, takes longer than b: a quantile's confidence sequence
 * is a Bernoulli one, read at the bound that it lands on, and because the counts above a bound fall with the bound, one
 * alpha serves all bounds. Howard, Ramdas, "Sequential Estimation of Quantiles with Applications to A/B Testing and
 * Best-Arm Identification" (2022), section 3; the Bernoulli boundary is `logMixtureEvidence`. Each side gets half of alpha.
 *
 * Only the bounds can be named, never a value between them, so a difference is found a bin late rather than early.
 */

/** Fraction of the answers that may take longer than the p99. */
const SLOWER = 0.01;

export function latencyBands(latency: JudgeState["latency"], alpha: number): LatencyBands {
  const needed = Math.log(2 / alpha);
  const candidate = countSlower(latency.candidate);
  const baseline = countSlower(latency.baseline);
  const above = candidate.slower.findLastIndex(
    (slower) =>
      slower > SLOWER * candidate.all && logMixtureEvidence(slower, candidate.all, SLOWER) >= needed,
  );
  const atMost = baseline.slower.findIndex(
    (slower) => slower < SLOWER * baseline.all && logMixtureEvidence(slower, baseline.all, SLOWER) >= needed,
  );
  return {
    candidate_p99_above_ms: LATENCY_BOUNDS_MS[above] ?? null,
    baseline_p99_at_most_ms: LATENCY_BOUNDS_MS[atMost] ?? null,
  };
}

/** For each bound, how many answers took longer. */
function countSlower(counts: readonly number[]): { all: number; slower: number[] } {
  const all = counts.reduce((sum, count) => sum + count, 0);
  let left = all;
  const slower = LATENCY_BOUNDS_MS.map((_, bin) => (left -= counts[bin] ?? 0));
  return { all, slower };
}

/** Beyond doubt more than the allowed multiple of the baseline's p99, and by more than the floor. */
export function isSlower(bands: LatencyBands, settings: JudgeSettings): boolean {
  const { candidate_p99_above_ms: candidate, baseline_p99_at_most_ms: baseline } = bands;
  if (candidate === null || baseline === null || settings.maximum_latency_ratio === null) return false;
  return (
    candidate >= settings.maximum_latency_ratio * baseline &&
    candidate - baseline >= settings.latency_floor_ms
  );
}
