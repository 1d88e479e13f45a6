import type { Tally } from "./figures.ts";

export interface JudgeSettings {
  /** Probability of a false alarm by any signal, over the whole rollout and its watch, at any number of looks. */
  alpha: number;
  /** Answers of the candidate that each step needs before it may pass. */
  minimum_samples: number;
  /** A higher error rate that is smaller than this difference (a fraction) is no reason to fail. */
  effect_floor: number;
  /** The last step needs it excluded that the candidate fails more than this share of what the baseline gets right. */
  margin: number;
  /** A slower candidate fails from so many times the baseline's p50, p90 or p99 on; null leaves latency out. */
  maximum_latency_ratio: number | null;
  /** What is slower by less than this is no reason to fail, whatever the ratio. */
  latency_floor_ms: number;
}

export const drawSettings: JudgeSettings = {
  alpha: 0.01,
  minimum_samples: 50,
  effect_floor: 0.01,
  margin: 0.02,
  maximum_latency_ratio: 1.25,
  latency_floor_ms: 5,
};

interface Quantiles {
  p50_ms: number | null;
  p90_ms: number | null;
  p99_ms: number | null;
}

export interface Verdict {
  outcome: "pass" | "fail" | "inconclusive";
  /** One sentence with the numbers that decided. */
  reason: string;
  candidate: Tally;
  baseline: Tally;
  /** Evidence of all signals together against "the candidate is no worse". */
  e_value: number;
  /** Of the answers that the baseline gets right, the candidate fails no more than this share; null while no bound is known. */
  worse_by_at_most: number | null;
  /** Null without latencies. */
  latency: { candidate: Quantiles; baseline: Quantiles; e_value: number } | null;
}
