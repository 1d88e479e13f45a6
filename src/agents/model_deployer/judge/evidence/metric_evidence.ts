import {
  type MetricEvidence,
  type MetricReadings,
  type MetricSettings,
  noMetric,
  type SideReading,
} from "../../domain/evidence/team_metrics.ts";
import { addDifference, logMeanEvidence } from "./mean_difference.ts";
import { comparable, drawOf, type MarkedCount, markedCountOf, valueOf } from "./metric_readings.ts";
import { afterBlock, logWealth } from "../statistics/experts.ts";
import { logDrawEvidence } from "../statistics/random_draw.ts";

/**
 * Compares a number that the team's own metrics give for both sides, window by window, none of which overlaps another one
 * or a change of weights. Of values the sign is bet on: with the sides alike each is as likely to be the worse one by more
 * than is allowed, whatever both do. Of shares the counts are bet on, of which the candidate's are a random draw as those
 * of errors are. One window multiplies the evidence by a small factor at most, since a server of metrics reads the sides at
 * different moments, so that what changes between two readings is seen at one side first.
 */

/** Bets on the sign: the part of the wealth that is staked. Bets on shares: the odds. */
export const METRIC_EXPERTS = [
  { part: 0.25, odds_ratio: 1.5, share: 0.3 },
  { part: 0.6, odds_ratio: 3, share: 0.3 },
  { part: 0.95, odds_ratio: 12, share: 0.4 },
] as const;

/** The most that a window of shares multiplies the evidence by. */
const MOST_OF_A_WINDOW = Math.log(4);
/**
 * `increase` extrapolates, so that its counts may be twice the real ones: the square root of the evidence makes up for
 * that, and is an e-value as well (Jensen).
 */
const TEMPERED = 0.5;
/** A server of metrics may count an answer so much later than it was given. */
const COUNTED_LATER_SECONDS = 1;

interface Sharing {
  generation: number | null;
  share: number;
}

/** How many seconds a metric's window has lasted; null where it is not over, or nothing can be compared. */
export function windowOver(
  before: MetricEvidence | undefined,
  { every_seconds }: MetricSettings,
  { generation, share }: Sharing,
  now: number,
): number | null {
  const hasBoth = share > 0 && share < 1 && generation !== null && before?.generation === generation;
  const seconds = (now - (before?.since ?? now)) / 1000;
  return hasBoth && seconds >= every_seconds ? seconds : null;
}

/**
 * Adds what was read, and begins windows anew where the weights have changed, once no request of before can be under way.
 * @param route `answer_seconds` is the longest that a request is
 */
export function addMetrics(
  before: Readonly<Record<string, MetricEvidence>>,
  settings: Readonly<Record<string, MetricSettings>>,
  readings: MetricReadings,
  { generation, answer_seconds }: Pick<Sharing, "generation"> & { answer_seconds: number },
  now: number,
): Record<string, MetricEvidence> {
  const each = Object.entries(settings).map(([name, asked]): [string, MetricEvidence] => {
    const known = before[name] ?? noMetric;
    if (generation === null || generation !== known.generation) {
      return [name, { ...known, generation, since: now + (answer_seconds + COUNTED_LATER_SECONDS) * 1000 }];
    }
    const read = comparable(readings[name]);
    return [name, read === undefined ? known : compared({ ...known, since: now, last: read }, asked, read)];
  });
  return Object.fromEntries(each);
}

function compared(
  state: MetricEvidence,
  settings: MetricSettings,
  { candidate, baseline }: { candidate: SideReading; baseline: SideReading },
): MetricEvidence {
  return settings.of === null
    ? comparedValues(state, settings, valueOf(candidate), valueOf(baseline))
    : comparedShares(state, settings, markedCountOf(candidate, settings), markedCountOf(baseline, settings));
}

function comparedValues(
  state: MetricEvidence,
  settings: MetricSettings,
  candidate: number | null,
  baseline: number | null,
): MetricEvidence {
  if (candidate === null || baseline === null) return state;
  const isWorse = exceeds(candidate, baseline, settings);
  const isBetter = exceeds(baseline, candidate, settings);
  const { windows } = state;
  const differences = differencesWith(state, settings, candidate, baseline);
  if (isWorse === isBetter)
    return { ...state, differences, windows: { ...windows, alike: windows.alike + 1 } };
  const sign = isWorse ? 1 : -1;
  const bets = afterBlock(state.bets, [METRIC_EXPERTS.map(({ part }) => Math.log1p(sign * part))]);
  return {
    ...state,
    bets,
    differences,
    windows: isWorse ? { ...windows, worse: windows.worse + 1 } : { ...windows, better: windows.better + 1 },
  };
}

/** Below this part of what is allowed a deviation is none. */
const LEAST_PART = 0.1;

function differencesWith(
  { differences }: MetricEvidence,
  { worse, bound, worse_by }: MetricSettings,
  candidate: number,
  baseline: number,
): MetricEvidence["differences"] {
  if (bound !== null) return null;
  const difference = worse === "higher" ? candidate - baseline : baseline - candidate;
  return addDifference(differences, difference, LEAST_PART * worse_by * Math.abs(baseline));
}

/** Whether one value is worse than allowed where the other one is not. */
function exceeds(own: number, other: number, { worse, bound, worse_by }: MetricSettings): boolean {
  if (bound !== null) return breaks(own, bound, worse) && !breaks(other, bound, worse);
  const allowed = worse_by * Math.abs(other);
  return worse === "higher" ? own > other + allowed : own < other - allowed;
}

const breaks = (value: number, bound: number, worse: MetricSettings["worse"]): boolean =>
  worse === "higher" ? value > bound : value < bound;

function comparedShares(
  state: MetricEvidence,
  settings: MetricSettings,
  candidate: MarkedCount | null,
  baseline: MarkedCount | null,
): MetricEvidence {
  if (candidate === null || baseline === null) return state;
  const draw = drawOf(candidate, baseline);
  const won = METRIC_EXPERTS.map(({ odds_ratio }) =>
    Math.min(MOST_OF_A_WINDOW, TEMPERED * logDrawEvidence(draw, odds_ratio)),
  );
  const { windows, counts } = state;
  const [own, other] = [shareOf(candidate, settings), shareOf(baseline, settings)];
  const isWorse = own !== null && other !== null && exceeds(own, other, settings);
  const isBetter = own !== null && other !== null && exceeds(other, own, settings);
  return {
    ...state,
    bets: afterBlock(state.bets, [won]),
    counts: { candidate: plus(counts.candidate, candidate), baseline: plus(counts.baseline, baseline) },
    windows: {
      worse: windows.worse + Number(isWorse),
      better: windows.better + Number(isBetter),
      alike: windows.alike + Number(isWorse === isBetter),
    },
  };
}

const plus = (a: MarkedCount, b: MarkedCount): MarkedCount => ({
  marked: a.marked + b.marked,
  all: a.all + b.all,
});

/** As the query has it; null of nothing. */
function shareOf({ marked, all }: MarkedCount, { worse }: MetricSettings): number | null {
  if (all === 0) return null;
  return worse === "higher" ? marked / all : 1 - marked / all;
}

/**
 * Logarithm of the evidence that the candidate is worse by this metric. Of values both the sign and the mean have to say
 * so, since either may be wrong by itself: the sign of what is skewed, the mean of what is rarely seen at all.
 */
export function logMetricEvidence({ bets, differences }: MetricEvidence): number {
  const ofSigns = logWealth(bets, 0, METRIC_EXPERTS);
  return differences === null ? ofSigns : Math.min(ofSigns, logMeanEvidence(differences));
}

/** From so many windows on the mean is known well enough to speak for a candidate. */
const MEAN_KNOWN = 10;

/** The evidence that holds a candidate for now: until its mean is known the sign alone does. */
export function logHoldingEvidence(evidence: MetricEvidence): number {
  const isKnown = (evidence.differences?.count ?? 0) >= MEAN_KNOWN;
  return isKnown ? logMetricEvidence(evidence) : logWealth(evidence.bets, 0, METRIC_EXPERTS);
}

/** The numbers of both sides: shares overall, values of the last window; null where there is none. */
export function metricNumbers(
  { counts, last }: MetricEvidence,
  settings: MetricSettings,
): { candidate: number | null; baseline: number | null } {
  if (settings.of !== null) {
    return { candidate: shareOf(counts.candidate, settings), baseline: shareOf(counts.baseline, settings) };
  }
  return {
    candidate: last === null ? null : valueOf(last.candidate),
    baseline: last === null ? null : valueOf(last.baseline),
  };
}

/** Whether the difference exceeds the allowed one: of shares overall, of values in the windows that were bet on. */
export function isWorseByMetric(evidence: MetricEvidence, settings: MetricSettings): boolean {
  if (settings.of === null) return true;
  const { candidate, baseline } = metricNumbers(evidence, settings);
  return candidate !== null && baseline !== null && exceeds(candidate, baseline, settings);
}

/** Whether the candidate breaks its bound in the last window, whoever else does. */
export function breaksBound({ last }: MetricEvidence, { bound, worse }: MetricSettings): boolean {
  const value = last === null ? null : valueOf(last.candidate);
  return bound !== null && value !== null && breaks(value, bound, worse);
}

/** Why the last window says nothing; null where it does, or where none was read yet. */
export function metricProblem({ last }: MetricEvidence, settings: MetricSettings): string | null {
  if (last === null) return null;
  for (const side of ["candidate", "baseline"] as const) {
    const { reading, of } = last[side];
    for (const one of [reading, of]) {
      if (one !== null && "problem" in one) return `${one.problem} for the ${side}`;
    }
    if (settings.of !== null && markedCountOf(last[side], settings) === null)
      return `its count of the ${side} is no part of the other one`;
  }
  return null;
}
