import type { Answers, Tally } from "../domain/evidence/figures.ts";
import {
  type BothSides,
  type JudgeSettings,
  type JudgeState,
  noneOfBoth,
  type Signal,
  type SignalEvidence,
} from "../domain/evidence/judgement.ts";
import { lately, plusBoth } from "./counts/answers.ts";
import { withoutMarked, withoutSlowest } from "./counts/answers_carried_over.ts";
import { together, withoutMarksOfEdge } from "./counts/edges.ts";
import { logOutcomeEvidence } from "./evidence/outcome_evidence.ts";
import { logMetricsEvidence } from "./metric_verdict.ts";
import { logPredictionEvidence } from "./evidence/prediction_evidence.ts";
import { betAgain, logAdd, logWealth } from "./statistics/experts.ts";
import type { Draw } from "./statistics/random_draw.ts";
import {
  boundNear,
  CLIENT_ERROR_EXPERTS,
  ERROR_EXPERTS,
  LATENCY_EXPERTS,
  QUANTILES,
  OUTCOMES_SHARE,
  METRICS_SHARE,
  PREDICTIONS_SHARE,
  sharesOf,
  slowerThan,
} from "./signals.ts";
import { exclude, type Rates } from "./worse_by.ts";

/** How many looks after the candidate's first answers ignore latency, since a cold start is no slowness. */
const WARM_UP_LOOKS = 3;
/** A block of answers ends when this many answers of the smaller side are expected in it. */
const EXPECTED_ANSWERS = 2;
/**
 * One block's evidence of latency is cut to this (its logarithm), so that it takes three of them: a server that stands
 * still for a moment, as all do now and then, answers all that waited in one look, and chance adds to that.
 */
const MOST_OF_A_PAUSE = 3;
/** The assumed rate before any answer: one failure in a hundred, forgotten within some dozens of answers. */
const PRIOR = { requests: 20, errors: 0.2 };
/** How many pooled answers stand for a side that has few of its own. */
const TOGETHER = 200;

/** Logarithm of each signal's evidence that the candidate is worse. */
export type Evidence = Record<Signal, number>;

/**
 * Adds the answers of both sides since the last look, under constant weights. A block of answers is compared once it holds
 * enough answers of both sides together: the candidate's number plays no part in that, or the draw would not be random.
 * @param share the candidate's share of the traffic, between 0 and 1
 */
export function compare(state: JudgeState, grown: BothSides, share: number, alpha: number): JudgeState {
  const hasAnswers = grown.candidate.requests + grown.baseline.requests > 0;
  const looks_under_weights = state.looks_under_weights + Number(hasAnswers);
  const { latency } = state.evidence;
  const timed = withoutSlowest(grown.candidate.latency, latency.carried, looks_under_weights);
  const compared = { ...grown, candidate: { ...grown.candidate, latency: timed.kept } };
  const pending = plusBoth(state.pending, compared);
  const evidence = { ...state.evidence, latency: { ...latency, carried: timed.carried } };
  const seen = { ...state, evidence, looks_under_weights };
  const smaller = Math.min(share, 1 - share);
  const all = pending.candidate.requests + pending.baseline.requests;
  if (smaller <= 0 || all * smaller < EXPECTED_ANSWERS) return { ...seen, pending };
  return closeBlock({ ...seen, pending: noneOfBoth }, pending, share, alpha);
}

/** The same server is slower under more load, so that only a candidate with no more than half is asked for latency. */
const EQUAL_LOAD = 0.5;
/** So long does a challenge leave latency out, since requests queued while the candidate had all traffic. */
const DRAINING_LOOKS = 5;

function closeBlock(state: JudgeState, block: BothSides, share: number, alpha: number): JudgeState {
  const { evidence } = state;
  const isDrained = state.challenged_for === null || state.looks_under_weights > DRAINING_LOOKS;
  const isTimed = state.warm_looks > WARM_UP_LOOKS && share <= EQUAL_LOAD && isDrained;
  return {
    ...state,
    evidence: {
      errors: compareMarks(evidence.errors, state.last, block, "errors"),
      client_errors: compareMarks(evidence.client_errors, state.last, block, "client_errors"),
      latency: isTimed ? compareLatency(evidence.latency, state, block) : evidence.latency,
    },
    lately: lately(state.lately, block, isTimed),
    last: together(block),
    excluded: exclude(state.excluded, block, likelyRates(state), alpha),
  };
}

const MARKS = {
  errors: { experts: ERROR_EXPERTS, of: ({ errors }: Answers) => errors },
  client_errors: { experts: CLIENT_ERROR_EXPERTS, of: ({ client_errors }: Answers) => client_errors },
} as const;

function compareMarks(
  before: SignalEvidence,
  last: JudgeState["last"],
  block: BothSides,
  signal: keyof typeof MARKS,
): SignalEvidence {
  const { experts, of } = MARKS[signal];
  const tallyOf = (side: Answers): Tally => ({ requests: side.requests, errors: of(side) });
  const { kept, carried } = withoutMarked(tallyOf(block.candidate), before.carried);
  const own = withoutMarksOfEdge(kept, last && tallyOf(last), tallyOf(together(block)));
  const bets = betAgain(before.bets, experts, [drawOf(own, tallyOf(block.baseline))]);
  return { bets, carried, since: sinceLowest(before, logWealth(bets, 0, experts), block) };
}

/** Compares latencies by the bounds nearest to the quantiles of the baseline's answers before the block. */
function compareLatency(
  before: SignalEvidence,
  { recent, last }: Pick<JudgeState, "recent" | "last">,
  block: BothSides,
): SignalEvidence {
  const draws = QUANTILES.map(({ quantile }) => {
    const bound = boundNear(recent.baseline.latency, quantile);
    if (bound === null) return null;
    const earlier = last && slow(last.latency, bound);
    const own = slow(block.candidate.latency, bound);
    const kept = withoutMarksOfEdge(own, earlier, slow(together(block).latency, bound));
    return drawOf(kept, slow(block.baseline.latency, bound));
  });
  const bets = betAgain(before.bets, LATENCY_EXPERTS, draws, MOST_OF_A_PAUSE);
  return { ...before, bets, since: sinceLowest(before, ofLatency(bets), block) };
}

const slow = (counts: readonly number[], bound: number): Tally => ({
  requests: counts.reduce((sum, count) => sum + count, 0),
  errors: slowerThan(counts, bound),
});

const drawOf = (candidate: Tally, baseline: Tally): Draw => ({
  all: candidate.requests + baseline.requests,
  allMarked: candidate.errors + baseline.errors,
  drawn: candidate.requests,
  marked: candidate.errors,
});

/**
 * The likely failure rates by the newest answers: each side's own and some of both pooled, so that sides count as alike
 * until they differ.
 */
export function likelyRates({ recent: { candidate, baseline } }: JudgeState): Rates {
  const requests = candidate.requests + baseline.requests + PRIOR.requests;
  const together = (candidate.errors + baseline.errors + PRIOR.errors) / requests;
  const own = ({ requests: n, errors }: Tally) => (errors + TOGETHER * together) / (n + TOGETHER);
  return { candidate: own(candidate), baseline: own(baseline) };
}

function sinceLowest({ since }: SignalEvidence, evidence: number, block: BothSides): SignalEvidence["since"] {
  if (evidence <= since.lowest) return { lowest: evidence, ...noneOfBoth };
  return { lowest: since.lowest, ...plusBoth(since, block) };
}

const ofLatency = (bets: SignalEvidence["bets"]): number =>
  QUANTILES.map(({ share }, index) => Math.log(share) + logWealth(bets, index, LATENCY_EXPERTS)).reduce(
    logAdd,
  );

export function evidenceOf({ evidence }: Pick<JudgeState, "evidence">): Evidence {
  return {
    errors: logWealth(evidence.errors.bets, 0, ERROR_EXPERTS),
    client_errors: logWealth(evidence.client_errors.bets, 0, CLIENT_ERROR_EXPERTS),
    latency: ofLatency(evidence.latency.bets),
  };
}

/** Logarithm of the combined evidence of all signals, weighted by their shares. */
export function logTogether(evidence: Evidence, state: JudgeState, settings: JudgeSettings): number {
  const shares = sharesOf(settings);
  const shared = (signal: Signal) => Math.log(shares[signal]) + evidence[signal];
  const ofSignals = [shared("errors"), shared("client_errors"), shared("latency")].reduce(logAdd);
  const ofMetrics = logMetricsEvidence(state, settings);
  const others = [
    ...(settings.outcomes === null ? [] : [Math.log(OUTCOMES_SHARE) + logOutcomeEvidence(state.outcomes)]),
    ...((settings.predictions?.maximum_shift ?? null) === null || state.predictions === null
      ? []
      : [Math.log(PREDICTIONS_SHARE) + logPredictionEvidence(state.predictions)]),
    ...(ofMetrics === null ? [] : [Math.log(METRICS_SHARE) + ofMetrics]),
  ];
  return others.reduce(logAdd, ofSignals);
}
