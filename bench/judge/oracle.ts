import { logDrawEvidence } from "../../src/agents/model_deployer/judge/statistics/random_draw.ts";
import { binomialFrom, randomFrom } from "./random.ts";
import type { Scenario } from "./traffic.ts";

/**
 * The second in which the candidate is found by whoever knows both rates beforehand and stakes all of alpha on them: the
 * likelihood ratio at the true odds, over the same draws. It can judge no other difference, and no other signal. No rule that
 * finds every such candidate at this alpha takes fewer answers on average (Wald, Wolfowitz, 1948), but for what the last
 * step exceeds the bound by.
 */
export function oracleOnce(
  { requests, share, failureRate }: Scenario,
  seed: number,
  seconds: number,
  alpha: number,
): number | null {
  const random = randomFrom(seed);
  const rates = { candidate: failureRate(1, "candidate"), baseline: failureRate(1, "baseline") };
  const odds = (rate: number) => rate / (1 - rate);
  const oddsRatio = odds(rates.candidate) / odds(rates.baseline);
  let evidence = 0;
  // The first look only takes note of the route, as the judge's does.
  for (let second = 2; second <= seconds; second += 1) {
    const drawn = binomialFrom(random, requests, share);
    const marked = binomialFrom(random, drawn, rates.candidate);
    const others = binomialFrom(random, requests - drawn, rates.baseline);
    evidence += logDrawEvidence({ all: requests, allMarked: marked + others, drawn, marked }, oddsRatio);
    if (evidence >= -Math.log(alpha)) return second;
  }
  return null;
}
