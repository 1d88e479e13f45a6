import {
  type BinCounts,
  type Bins,
  noCounts,
  type PredictionEvidence,
  type WaitingPredictions,
} from "../../domain/evidence/compared_predictions.ts";
import { plusEach } from "../counts/answers.ts";
import { binOf, binOfNone, binsOf, type LoggedPrediction, valueOf } from "./prediction_bins.ts";
import { betAgain, type Expert, logAdd, logWealth } from "../statistics/experts.ts";
import type { Draw } from "../statistics/random_draw.ts";

/**
 * Compares how the predictions of both sides are distributed, at the same time and without a shadow. The router draws who
 * answers, so that of all predictions in a block the candidate's are a random draw: for each bin the number of its
 * own is hypergeometric, whatever callers ask. The bets are on more and on less in each bin, and their mean is the
 * evidence, valid at any look. A difference is no fault by itself, so that only a policy makes it one.
 */
export const PREDICTION_EXPERTS: readonly Expert[] = [
  { odds_ratio: 1.4, share: 0.45 },
  { odds_ratio: 2.5, share: 0.35 },
  { odds_ratio: 10, share: 0.2 },
];

/** A block is compared once it holds this many predictions, and this many of the smaller side are expected in it. */
const FEWEST_IN_BLOCK = 20;
const FEWEST_EXPECTED = 2;
/** With more than this many times waiting for the other side's log, one of them cannot be read fast enough. */
const MOST_AWAITED = 200;
/** Into so many times is that divided in which a request may be under way, for each is counted as a whole. */
const TIMES = 16;

/** The deployer's clock and those of the servers may differ by so much. */
const SKEW_MS = 1000;

export interface ReadLog {
  deployment_id: string;
  predictions: readonly LoggedPrediction[];
  position: string | null;
}

export interface ReadLogs {
  candidate: ReadLog;
  baseline: ReadLog;
}

const SIDES = ["candidate", "baseline"] as const;

export interface PredictedUnder {
  generation: number | null;
  share: number;
  /** The longest that a request is under way. */
  answer_seconds: number;
}

/**
 * The bins come from what the baseline predicted before the comparison. Only predictions that began under the route in
 * force are compared, up to the time that both logs are read to and of which no request can be under way: a prediction is
 * logged when it ends, so that a kind that takes one side longer would otherwise look rarer there.
 * @param now in ms; a log without news was read up to then
 */
export function addPredictions(
  before: PredictionEvidence,
  logs: ReadLogs,
  { generation, share, answer_seconds }: PredictedUnder,
  now: number,
): PredictionEvidence {
  const positions = { ...before.positions };
  for (const side of SIDES) {
    const { deployment_id, position } = logs[side];
    if (position !== null) positions[deployment_id] = position;
  }
  if (before.bins === null) {
    const bins = binsOf(logs.baseline.predictions);
    return bins === null ? before : { ...before, positions, bins };
  }
  const anew = { ...before, positions, since: now + SKEW_MS, awaited: [], pending: noCounts };
  if (generation === null || generation !== before.generation || before.awaited === null) {
    return { ...anew, generation };
  }
  const underWayMs = answer_seconds * 1000 + SKEW_MS;
  const step = underWayMs / TIMES;
  const awaited = SIDES.reduce((sum, side) => withLog(sum, side, logs[side], before, step), before.awaited);
  if (awaited.length > MOST_AWAITED) return anew;
  const readUpTo = Math.min(now - underWayMs, ...SIDES.map((side) => lastOf(logs[side], now)));
  const ready = awaited.filter(({ until }) => until <= readUpTo);
  const state = { ...before, positions, awaited: awaited.filter(({ until }) => until > readUpTo) };
  return closeBlock(state, ready.reduce<BinCounts>(plusCounts, before.pending), share);
}

/** With a log's predictions counted at the end of the time in which their requests began. */
function withLog(
  awaited: readonly WaitingPredictions[],
  side: (typeof SIDES)[number],
  { predictions }: ReadLog,
  { bins, since }: PredictionEvidence,
  step: number,
): WaitingPredictions[] {
  const times = new Map(awaited.map((one) => [one.until, one]));
  for (const one of predictions) {
    const at = one.answered_at === undefined ? null : Date.parse(one.answered_at);
    const bin = bins === null ? null : binOf(valueOf(one), bins);
    if (at === null || bin === null || at < since) continue;
    const until = (Math.floor(at / step) + 1) * step;
    const known = times.get(until) ?? { until, ...noCounts };
    times.set(until, { ...known, [side]: plusEach(known[side], oneIn(bin)) });
  }
  return [...times.values()];
}

const oneIn = (bin: number): number[] => Array.from({ length: bin + 1 }, (_, index) => Number(index === bin));

function lastOf({ predictions }: ReadLog, now: number): number {
  const times = predictions.flatMap(({ answered_at: at }) => (at === undefined ? [] : [Date.parse(at)]));
  return times.length === 0 ? now - SKEW_MS : times.reduce((last, one) => Math.max(last, one));
}

/** The candidate's number plays no part in when a block ends, or the draw would not be random. */
function closeBlock(state: PredictionEvidence, counts: BinCounts, share: number): PredictionEvidence {
  const all = sum(counts.candidate) + sum(counts.baseline);
  const smaller = Math.min(share, 1 - share);
  if (state.bins === null || all < FEWEST_IN_BLOCK || all * smaller < FEWEST_EXPECTED) {
    return { ...state, pending: counts };
  }
  const bets = betAgain(state.bets, PREDICTION_EXPERTS, drawsOf(counts, state.bins));
  const next = { ...state, pending: noCounts, bets, counts: plusCounts(state.counts, counts) };
  const evidence = logPredictionEvidence(next);
  const lowest =
    evidence <= state.lowest.evidence
      ? { evidence, counts: noCounts }
      : { evidence: state.lowest.evidence, counts: plusCounts(state.lowest.counts, counts) };
  return { ...next, lowest };
}

/** One draw on more and one on fewer, for each bound of scores, or each class. */
function drawsOf({ candidate, baseline }: BinCounts, bins: Bins): Draw[] {
  const [drawn, others] = [sum(candidate), sum(baseline)];
  return marksOf(bins).flatMap((mark) => {
    const [marked, among] = [mark(candidate), mark(baseline)];
    const draw = { all: drawn + others, allMarked: marked + among, drawn, marked };
    const rest = { ...draw, allMarked: draw.all - draw.allMarked, marked: drawn - marked };
    return [draw, rest];
  });
}

type Mark = (counts: readonly number[]) => number;

/** How many predictions exceed each bound, or are of each class, and how many answers have no such value. */
function marksOf(bins: Bins): Mark[] {
  const none = binOfNone(bins);
  const ofValues: Mark[] =
    bins.kind === "scores"
      ? bins.bounds.map((_, index) => (counts) => sum(counts.slice(index + 1, none)))
      : [...bins.labels.keys()].map((index) => (counts) => counts[index] ?? 0);
  return [...ofValues, (counts) => counts[none] ?? 0];
}

/** Logarithm of the evidence against "both sides predict alike". */
export function logPredictionEvidence({ bins, bets }: PredictionEvidence): number {
  if (bins === null) return 0;
  const subjects = 2 * marksOf(bins).length;
  const each = Array.from({ length: subjects }, (_, subject) => logWealth(bets, subject, PREDICTION_EXPERTS));
  return each.reduce(logAdd) - Math.log(subjects);
}

export interface Shift {
  /** The kind of prediction that differs the most, in words. */
  what: string;
  /** Shares of each side's predictions of which that is so. */
  candidate: number;
  baseline: number;
  /** By which share the distributions differ: Kolmogorov's distance of scores, total variation of classes. */
  shift: number;
  predictions: { candidate: number; baseline: number };
}

/** How the distributions differ, overall or since the evidence was at its lowest, whichever is more; null without any. */
export function shiftOf({ bins, counts, lowest }: PredictionEvidence): Shift | null {
  if (bins === null) return null;
  const shifts = [counts, lowest.counts].flatMap((one) => shiftIn(one, bins) ?? []);
  return shifts.reduce<Shift | null>(
    (most, one) => (most === null || one.shift > most.shift ? one : most),
    null,
  );
}

function shiftIn({ candidate, baseline }: BinCounts, bins: Bins): Shift | null {
  const predictions = { candidate: sum(candidate), baseline: sum(baseline) };
  if (predictions.candidate === 0 || predictions.baseline === 0) return null;
  const shares = marksOf(bins).map((mark, index) => ({
    what: named(bins, index),
    candidate: mark(candidate) / predictions.candidate,
    baseline: mark(baseline) / predictions.baseline,
  }));
  const gap = (one: { candidate: number; baseline: number }) => Math.abs(one.candidate - one.baseline);
  const most = shares.reduce((a, b) => (gap(b) > gap(a) ? b : a));
  const others = {
    candidate: 1 - shares.reduce((all, one) => all + one.candidate, 0),
    baseline: 1 - shares.reduce((all, one) => all + one.baseline, 0),
  };
  const variation = [...shares, others].reduce((all, one) => all + gap(one), 0) / 2;
  return { ...most, shift: bins.kind === "scores" ? gap(most) : variation, predictions };
}

function named(bins: Bins, index: number): string {
  if (index === binOfNone(bins) - 1)
    return `answered without a ${bins.kind === "scores" ? "score" : "class"}`;
  return bins.kind === "scores"
    ? `scores above ${Number((bins.bounds[index] ?? 0).toPrecision(3))}`
    : `predicted ${bins.labels[index] ?? ""}`;
}

const plusCounts = (a: BinCounts, b: BinCounts): BinCounts => ({
  candidate: plusEach(a.candidate, b.candidate),
  baseline: plusEach(a.baseline, b.baseline),
});

const sum = (counts: readonly number[]): number => counts.reduce((all, one) => all + one, 0);
