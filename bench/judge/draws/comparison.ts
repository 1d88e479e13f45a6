import { plus, plusEach, type Tally } from "./figures.ts";
import { bet, type Bets, type Expert, logAdd, logWealth, stakeAt } from "./experts.ts";
import type { Draw } from "./random_draw.ts";
import {
  boundNear,
  ERROR_EXPERTS,
  ERRORS_SHARE,
  LATENCY_EXPERTS,
  LATENCY_SHARE,
  QUANTILES,
  slowerThan,
} from "./signals.ts";
import type { Answers, BothSides, JudgeState, Stretch, Weighted } from "./state.ts";
import { exclude } from "./worse_by.ts";

/** Looks after the candidate's first answers whose latency is not compared: a cold start is no slowness. */
const WARM_UP_LOOKS = 3;
/** A stretch holds so many answers of the smaller side, as far as its share lets expect. */
const EXPECTED_ANSWERS = 2;
/** What is bet on before anything was answered: one failure in a hundred, forgotten within some dozens of answers. */
const PRIOR = { requests: 20, errors: 0.2 };

/** Logarithm of each signal's evidence that the candidate is worse. */
export interface Evidence {
  errors: number;
  latency: number;
}

/**
 * Takes in what both sides answered since the last look, under weights that did not change meanwhile. A stretch is
 * compared once it holds enough answers of both sides together: how many of them are the candidate's plays no part in
 * that, or the draw would not be one.
 *
 * @param share the candidate's share of the traffic, between 0 and 1
 */
export function compare(state: JudgeState, grown: BothSides, share: number, alpha: number): JudgeState {
  if (state.pending === null) return { ...state, pending: emptied(grown) };
  const pending = plusBoth(state.pending, grown);
  const smaller = Math.min(share, 1 - share);
  const all = pending.candidate.requests + pending.baseline.requests;
  if (smaller <= 0 || all * smaller < EXPECTED_ANSWERS) return { ...state, pending };
  return closeBlock({ ...state, pending: emptied(grown) }, pending, alpha);
}

const emptied = ({ candidate, baseline }: BothSides): BothSides => ({
  candidate: { requests: 0, errors: 0, latency: candidate.latency.map(() => 0) },
  baseline: { requests: 0, errors: 0, latency: baseline.latency.map(() => 0) },
});

function closeBlock(state: JudgeState, block: BothSides, alpha: number): JudgeState {
  const isWarm = state.warm_looks > WARM_UP_LOOKS;
  const after = {
    ...state,
    errors: betAgain(state.errors, ERROR_EXPERTS, () => drawOf(block, ({ errors }) => errors)),
    latency: isWarm ? betOnLatency(state, block) : state.latency,
    excluded: exclude(state.excluded, block, likelyRate(state), alpha),
  };
  const evidence = evidenceOf(after);
  return {
    ...after,
    since: {
      errors: sinceLowest(state.since.errors, evidence.errors, block),
      latency: isWarm ? sinceLowest(state.since.latency, evidence.latency, block) : state.since.latency,
    },
  };
}

/** @param drawOn the draw that the `index`-th experts bet on; null where they do not bet */
function betAgain(
  { blocks, unstaked, wealth }: Bets,
  experts: readonly Expert[],
  drawOn: (index: number) => Draw | null,
): Bets {
  const stake = stakeAt(blocks + 1);
  const nothing = { all: 0, allMarked: 0, drawn: 0, marked: 0 };
  return {
    blocks: blocks + 1,
    unstaked: Math.max(0, unstaked - stake),
    wealth: wealth.map((before, index) => bet(before, experts, stake, drawOn(index) ?? nothing)),
  };
}

/** By the bounds nearest to the quantiles of the baseline's answers before the block. */
function betOnLatency({ latency, recent }: JudgeState, block: BothSides): Bets {
  return betAgain(latency, LATENCY_EXPERTS, (index) => {
    const quantile = QUANTILES[index]?.quantile ?? 1;
    const bound = boundNear(recent.baseline.latency, quantile);
    return bound === null ? null : drawOf(block, (side) => slowerThan(side.latency, bound), timed);
  });
}

const timed = ({ latency }: Answers): number => latency.reduce((sum, count) => sum + count, 0);

function drawOf(
  { candidate, baseline }: BothSides,
  marked: (side: Answers) => number,
  size: (side: Answers) => number = ({ requests }) => requests,
) {
  return {
    all: size(candidate) + size(baseline),
    allMarked: marked(candidate) + marked(baseline),
    drawn: size(candidate),
    marked: marked(candidate),
  };
}

function likelyRate({ recent: { candidate, baseline } }: JudgeState): number {
  const { requests, errors } = plus(plus(candidate, baseline), PRIOR);
  return errors / requests;
}

export function evidenceOf({ errors, latency }: Pick<JudgeState, "errors" | "latency">): Evidence {
  const ofLatency = QUANTILES.map(
    ({ share }, index) =>
      Math.log(share) + logWealth(latency.wealth[index] ?? [], LATENCY_EXPERTS, latency.unstaked),
  );
  return {
    errors: logWealth(errors.wealth[0] ?? [], ERROR_EXPERTS, errors.unstaked),
    latency: ofLatency.reduce(logAdd),
  };
}

/** Logarithm of the evidence of all signals together, each with its share. */
export function logTogether({ errors, latency }: Evidence): number {
  return logAdd(Math.log(ERRORS_SHARE) + errors, Math.log(LATENCY_SHARE) + latency);
}

function sinceLowest(since: Stretch, evidence: number, block: BothSides): Stretch {
  if (evidence <= since.lowest) return { lowest: evidence, ...emptied(block) };
  return { lowest: since.lowest, ...plusBoth(since, block) };
}

export const plusBoth = (a: BothSides, b: BothSides): BothSides => ({
  candidate: plusAnswers(a.candidate, b.candidate),
  baseline: plusAnswers(a.baseline, b.baseline),
});

const plusAnswers = (a: Answers, b: Answers): Answers => ({
  ...plus(a, b),
  latency: plusEach(a.latency, b.latency),
});

/** More answers than so many are scaled down to it, so that what was long ago is forgotten. */
const RECENT_ANSWERS = 2000;

export function newest(before: Weighted, grown: Tally & { latency: readonly number[] }): Weighted {
  const { requests, errors } = plus(before, grown);
  const latency = plusEach(before.latency, grown.latency);
  const factor = Math.min(1, RECENT_ANSWERS / Math.max(1, requests));
  return {
    requests: requests * factor,
    errors: errors * factor,
    latency: latency.map((count) => count * factor),
  };
}
