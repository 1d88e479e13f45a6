import { type Answers, noAnswers, type Tally, type VersionFigures } from "../../domain/evidence/figures.ts";
import type { BothSides, JudgeState, Lately, Weighted } from "../../domain/evidence/judgement.ts";

/** Sums and differences of counted answers. */

export const errorRate = ({ requests, errors }: Tally): number => (requests === 0 ? 0 : errors / requests);

export function plusEach(a: readonly number[], b: readonly number[]): number[] {
  const [longer, shorter] = a.length >= b.length ? [a, b] : [b, a];
  return longer.map((count, bin) => count + (shorter[bin] ?? 0));
}

export const plusAnswers = (a: Answers, b: Answers): Answers => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
  timeouts: a.timeouts + b.timeouts,
  resets: a.resets + b.resets,
  client_errors: a.client_errors + b.client_errors,
  latency: plusEach(a.latency, b.latency),
});

export const plusBoth = (a: BothSides, b: BothSides): BothSides => ({
  candidate: plusAnswers(a.candidate, b.candidate),
  baseline: plusAnswers(a.baseline, b.baseline),
});

/** Growth since the earlier reading; all of the count where the counters began anew meanwhile. */
export function growth(now: VersionFigures | undefined, before: VersionFigures | undefined): Answers {
  if (now === undefined) return noAnswers;
  const since = before?.epoch === now.epoch ? before : undefined;
  const more = (after = 0, earlier = 0) => Math.max(0, after - earlier);
  const requests = more(now.requests, since?.requests);
  const among = (after: number | undefined, earlier: number | undefined) =>
    Math.min(requests, more(after, earlier));
  return {
    requests,
    errors: among(now.errors, since?.errors),
    timeouts: among(now.timeouts, since?.timeouts),
    resets: among(now.resets, since?.resets),
    client_errors: among(now.client_errors, since?.client_errors),
    latency: (now.latency_counts ?? []).map((count, bin) => more(count, since?.latency_counts?.[bin])),
  };
}

/**
 * As callers had it: a request that its caller gave up is one without an answer in time. Else a candidate that hangs
 * would be seen by the quick answers alone, and one that always hangs not at all.
 */
export function growthForCallers(
  now: VersionFigures | undefined,
  before: VersionFigures | undefined,
): Answers {
  const grown = growth(now, before);
  const present = now?.given_up ?? 0;
  // A reading of an earlier release does not know how many there were until then.
  const since = before !== undefined && before.epoch === now?.epoch ? (before.given_up ?? present) : 0;
  const givenUp = Math.max(0, present - since);
  return {
    ...grown,
    requests: grown.requests + givenUp,
    errors: grown.errors + givenUp,
    timeouts: grown.timeouts + givenUp,
  };
}

export const figuresOf = (list: readonly VersionFigures[], id: string): VersionFigures | undefined =>
  list.find((entry) => entry.deployment_id === id);

/** A count that was read late or is missing keeps its last value, so that nothing is counted twice. */
export function furthest(before: VersionFigures[], now: VersionFigures[]): VersionFigures[] {
  const missing = before.filter(({ deployment_id: id }) => figuresOf(now, id) === undefined);
  const read = now.map((one) => {
    const last = figuresOf(before, one.deployment_id);
    return last?.epoch === one.epoch && one.requests < last.requests ? last : one;
  });
  return [...read, ...missing];
}

/** Larger counts are scaled down to this number, so that old answers are forgotten. */
const RECENT_ANSWERS = 2000;

export function newest(before: Weighted, grown: Answers): Weighted {
  const requests = before.requests + grown.requests;
  const factor = Math.min(1, RECENT_ANSWERS / Math.max(1, requests));
  return {
    requests: requests * factor,
    errors: (before.errors + grown.errors) * factor,
    latency: plusEach(before.latency, grown.latency).map((count) => count * factor),
  };
}

/** Both sides are scaled down alike once the smaller one has more. */
const LATELY_ANSWERS = 1000;

/** @param isTimed whether latencies of this block can be compared */
export function lately(
  before: JudgeState["lately"],
  block: BothSides,
  isTimed: boolean,
): JudgeState["lately"] {
  const smaller = Math.min(
    before.candidate.requests + block.candidate.requests,
    before.baseline.requests + block.baseline.requests,
  );
  const factor = Math.min(1, LATELY_ANSWERS / Math.max(1, smaller));
  const grown = (known: Lately, more: Answers): Lately => ({
    requests: (known.requests + more.requests) * factor,
    errors: (known.errors + more.errors) * factor,
    client_errors: (known.client_errors + more.client_errors) * factor,
    latency: plusEach(known.latency, isTimed ? more.latency : []).map((count) => count * factor),
  });
  return {
    candidate: grown(before.candidate, block.candidate),
    baseline: grown(before.baseline, block.baseline),
  };
}
