import type { Tally } from "../../src/agents/model_deployer/domain/evidence/figures.ts";
import type { Traffic } from "./traffic.ts";

/** How others would judge the same traffic, by its errors. A peer answers true in the second in which it gives the candidate up. */
export interface Peer {
  name: string;
  begin: () => (second: number, traffic: Traffic) => boolean;
}

const rate = ({ requests, errors }: Tally): number => (requests === 0 ? 0 : errors / requests);
const since = (now: Tally, before: Tally): Tally => ({
  requests: now.requests - before.requests,
  errors: now.errors - before.errors,
});
const kept = ({ requests, errors }: Tally): Tally => ({ requests, errors });

/** Two-sided at 5 %, as it is usually configured. */
const Z = 1.96;

/** A z-test of two proportions at each look, over all answers since the rollout began. */
const zTest: Peer = {
  name: "z-test",
  begin: () => {
    let from: Tally | null = null;
    return (_, { candidate, baseline }) => {
      from ??= kept(baseline);
      const known = since(baseline, from);
      const pooled = (candidate.errors + known.errors) / (candidate.requests + known.requests);
      const spread = pooled * (1 - pooled) * (1 / candidate.requests + 1 / known.requests);
      return spread > 0 && (rate(candidate) - rate(known)) / Math.sqrt(spread) > Z;
    };
  },
};

/** A rate over the newest interval against a fixed bound, and so many misses, counted together. */
function threshold(name: string, how: { interval: number; least: number; misses: number }): Peer {
  return {
    name,
    begin: () => {
      let before: Tally = { requests: 0, errors: 0 };
      let misses = 0;
      return (second, { candidate }) => {
        if (second % how.interval !== 0) return false;
        const newest = since(candidate, before);
        before = kept(candidate);
        if (newest.requests > 0 && 1 - rate(newest) < how.least) misses += 1;
        return misses >= how.misses;
      };
    },
  };
}

/** Argo Rollouts' documented success rate: each 5 minutes, at least 95 %, three misses allowed. */
const argo = threshold("Argo", { interval: 300, least: 0.95, misses: 4 });
/** Flagger's documented request-success-rate: each minute, at least 99 %, given up at the fifth miss. */
const flagger = threshold("Flagger", { interval: 60, least: 0.99, misses: 5 });

const MINUTE = 60;
const FEWEST_POINTS = 5;
const TOLERANCE = 0.25;
/** Of 98 % two-sided confidence. */
const KAYENTA_Z = 2.326;

/**
 * Kayenta's Mann-Whitney classifier at its defaults, tolerance 25 % and confidence 98 %, over the error rate by minute: "high"
 * where the confidence interval of the shift lies above the tolerated part of the estimate. Judged each minute.
 */
const kayenta: Peer = {
  name: "Kayenta",
  begin: () => {
    const points = { candidate: new Array<number>(), baseline: new Array<number>() };
    let before: { candidate: Tally; baseline: Tally } | null = null;
    return (second, { candidate, baseline }) => {
      before ??= { candidate: { requests: 0, errors: 0 }, baseline: kept(baseline) };
      if (second % MINUTE !== 0) return false;
      points.candidate.push(rate(since(candidate, before.candidate)));
      points.baseline.push(rate(since(baseline, before.baseline)));
      before = { candidate: kept(candidate), baseline: kept(baseline) };
      return points.candidate.length >= FEWEST_POINTS && isHigh(points.candidate, points.baseline);
    };
  },
};

/** By the Hodges-Lehmann estimate and its interval from the ordered pairwise differences, normal approximation. */
function isHigh(candidate: readonly number[], baseline: readonly number[]): boolean {
  const differences = candidate.flatMap((one) => baseline.map((other) => one - other)).sort((a, b) => a - b);
  const [n, m] = [candidate.length, baseline.length];
  const half = (KAYENTA_Z * Math.sqrt((n * m * (n + m + 1)) / 12)) | 0;
  const lowest = differences[Math.max(0, Math.floor((n * m) / 2) - half)] ?? 0;
  const estimate = differences[Math.floor(differences.length / 2)] ?? 0;
  return lowest > TOLERANCE * Math.abs(estimate) && lowest > 0;
}

export const peers: readonly Peer[] = [zTest, argo, flagger, kayenta];
