import type {
  ComparableAnswer,
  ComparablePair,
  Losses,
  Measure,
  OutcomeEvidence,
  OutcomeSettings,
  StretchOfRoute,
  WaitingLoss,
} from "../../domain/evidence/late_outcomes.ts";
import { lossOf, mostAmong } from "./outcome_loss.ts";
import { excludeByDraw, excludeByPairs, shareOfTold, withTold } from "./outcome_bound.ts";
import { afterBlock, logWealth } from "../statistics/experts.ts";
import { logTiltedDraw, logTiltedPair } from "../statistics/tilted_draw.ts";

/**
 * Compares predictions with outcomes that came later. The router drew who answered, so among the answers under one
 * route the candidate's losses are a random draw from all of them, whatever was asked and whichever outcomes have come:
 * the same argument as for errors, with losses in place of marks, and as valid at any look.
 */

/** Bets on how much the candidate's losses exceed the others, in standard deviations, with their shares of the stake. */
export const OUTCOME_EXPERTS = [
  { tilt: 0.15, share: 0.4 },
  { tilt: 0.5, share: 0.35 },
  { tilt: 1.5, share: 0.25 },
] as const;

/** One loss counts for at most so many standard deviations. */
const MOST_DEVIATIONS = 4;
/** A block is compared once it holds this many outcomes, and this many of the smaller side are expected in it. */
const FEWEST_IN_BLOCK = 40;
const FEWEST_EXPECTED = 2;
/** So many outcomes tell which part of each side's answers they are told of, before anything is excluded by them. */
const FEWEST_TOLD = 150;
/** So much later a request may still reach its server under the weights of before, by clocks that differ. */
const ON_ITS_WAY_MS = 16_000;

interface Sides {
  candidate_id: string;
  baseline_id: string;
}

export function addOutcomes(
  before: OutcomeEvidence,
  answers: readonly ComparableAnswer[],
  stretches: readonly StretchOfRoute[],
  sides: Sides,
  { measure }: Pick<OutcomeSettings, "measure">,
): OutcomeEvidence {
  let state = before;
  for (const answer of answers) {
    const loss = lossOf(answer, answer.outcome, measure);
    const stretch = stretchOf(answer, stretches);
    const share = stretch === null ? 0 : shareIn(stretch, sides);
    if (loss === null) state = { ...state, wrong_type: state.wrong_type + 1 };
    else if (stretch === null || share <= 0 || share >= 1) {
      const isAlone = share >= 1 && answer.deployment_id === sides.candidate_id;
      const alone = isAlone ? suspectLoss(state, loss) : state.alone;
      state = { ...state, alone, without_control: state.without_control + 1 };
    } else {
      const side = answer.deployment_id === sides.candidate_id ? "candidate" : "baseline";
      state = addLoss(state, { side, loss }, String(stretch.generation), { share, measure });
    }
  }
  return state;
}

function stretchOf(
  { answered_at }: ComparableAnswer,
  stretches: readonly StretchOfRoute[],
): StretchOfRoute | null {
  const at = Date.parse(answered_at);
  const holds = ({ from, to }: StretchOfRoute) =>
    at >= Date.parse(from) + ON_ITS_WAY_MS && at <= Date.parse(to);
  return stretches.find(holds) ?? null;
}

function shareIn({ weights }: StretchOfRoute, { candidate_id, baseline_id }: Sides): number {
  const candidate = weights[candidate_id] ?? 0;
  const both = candidate + (weights[baseline_id] ?? 0);
  return both === 0 ? 0 : candidate / both;
}

/** Whose loss it is plays no part in when a block ends, or the draw would not be random. */
function addLoss(
  state: OutcomeEvidence,
  loss: WaitingLoss,
  stretch: string,
  by: { share: number; measure: Measure },
): OutcomeEvidence {
  const { share } = by;
  const waiting = [...(state.pending[stretch] ?? []), loss];
  const wanted = Math.max(FEWEST_IN_BLOCK, FEWEST_EXPECTED / Math.min(share, 1 - share));
  if (waiting.length < wanted) return { ...state, pending: { ...state.pending, [stretch]: waiting } };
  const { [stretch]: _, ...pending } = state.pending;
  return closeBlock({ ...state, pending }, waiting, by);
}

function closeBlock(
  before: OutcomeEvidence,
  told: readonly WaitingLoss[],
  by: { share: number; measure: Measure },
): OutcomeEvidence {
  const { count, sum } = before.pooled;
  const known = { ...by, share: shareOfTold(before.told, by.share), mean: count === 0 ? null : sum / count };
  const most = mostAmong(
    told.map(({ loss }) => loss),
    by.measure,
  );
  const waiting = told.map(({ side, loss }) => ({ side, loss: Math.min(most, loss) }));
  const far_out = before.far_out + told.filter(({ loss }) => loss > most).length;
  const isKnown = before.told.outcomes >= FEWEST_TOLD;
  const excluded = isKnown ? excludeByDraw(before.excluded, waiting, known) : before.excluded;
  const state = { ...before, far_out, excluded };
  const losses = waiting.map(({ loss }) => loss);
  const pooled = withMoments(state.pooled, losses);
  const drawn = waiting.flatMap(({ side }, index) => (side === "candidate" ? [index] : []));
  const mean = pooled.sum / pooled.count;
  const deviation = Math.sqrt(Math.max(0, pooled.squares / pooled.count - mean * mean));
  const scaled = losses.map((loss) => inDeviations(loss - mean, deviation));
  const won = OUTCOME_EXPERTS.map(({ tilt }) => logTiltedDraw(scaled, drawn, tilt));
  const counted = withTold(before.told, waiting.length, drawn.length, by.share);
  return withBlock({ ...state, pooled, told: counted }, won, {
    candidate: sumOf(waiting, "candidate"),
    baseline: sumOf(waiting, "baseline"),
  });
}

/** Both answered the same request, so each pair is a draw of its own. */
export function addPairs(
  before: OutcomeEvidence,
  pairs: readonly ComparablePair[],
  { measure }: Pick<OutcomeSettings, "measure">,
): OutcomeEvidence {
  const losses = pairs.map(({ candidate, baseline, outcome }) => ({
    candidate: lossOf(candidate, outcome, measure),
    baseline: lossOf(baseline, outcome, measure),
  }));
  const told = losses.flatMap(({ candidate, baseline }) =>
    candidate === null || baseline === null ? [] : [{ candidate, baseline }],
  );
  const each = told.flatMap(({ candidate, baseline }) => [candidate, baseline]);
  const most = mostAmong(each, measure);
  const known = told.map(({ candidate, baseline }) => ({
    candidate: Math.min(most, candidate),
    baseline: Math.min(most, baseline),
  }));
  const counted = {
    ...before,
    wrong_type: before.wrong_type + losses.length - known.length,
    far_out: before.far_out + each.filter((loss) => loss > most).length,
  };
  if (known.length === 0) return counted;
  const differences = known.map(({ candidate, baseline }) => candidate - baseline);
  const excluded = excludeByPairs(before.excluded, differences, measure);
  const pooled = withMoments(before.pooled, differences);
  const size = Math.sqrt(pooled.squares / pooled.count);
  const won = OUTCOME_EXPERTS.map(({ tilt }) =>
    differences.reduce((sum, one) => sum + logTiltedPair(inDeviations(one, size), tilt), 0),
  );
  const sum = (side: "candidate" | "baseline"): Losses => ({
    outcomes: known.length,
    loss: known.reduce((all, one) => all + one[side], 0),
  });
  return withBlock({ ...counted, excluded, pooled }, won, {
    candidate: sum("candidate"),
    baseline: sum("baseline"),
  });
}

/** The baseline's losses by which the candidate's are measured while it has all traffic. */
const FEWEST_KNOWN = 30;
/** By so much its losses may exceed them, and from this sum on they are too high, in standard deviations (Page, 1954). */
const ALLOWED = 0.25;
const SUSPICIOUS = 24;

/** Without a control no loss fails the candidate: too high a sum asks for a challenge, and begins anew. */
function suspectLoss({ alone, baseline, pooled }: OutcomeEvidence, loss: number): OutcomeEvidence["alone"] {
  if (baseline.outcomes < FEWEST_KNOWN || pooled.count === 0) return alone;
  const mean = pooled.sum / pooled.count;
  const deviation = Math.sqrt(Math.max(0, pooled.squares / pooled.count - mean * mean));
  const distance = inDeviations(loss - baseline.loss / baseline.outcomes, deviation);
  const sum = Math.max(0, alone.sum + distance - ALLOWED);
  return sum < SUSPICIOUS ? { ...alone, sum } : { sum: 0, alarms: alone.alarms + 1 };
}

function withBlock(
  state: OutcomeEvidence,
  won: readonly number[],
  block: Pick<OutcomeEvidence, "candidate" | "baseline">,
): OutcomeEvidence {
  const bets = afterBlock(state.bets, [won]);
  const evidence = logWealth(bets, 0, OUTCOME_EXPERTS);
  const grown = (before: Pick<OutcomeEvidence, "candidate" | "baseline">) => ({
    candidate: plus(before.candidate, block.candidate),
    baseline: plus(before.baseline, block.baseline),
  });
  const isLowest = evidence <= state.since.lowest;
  const since = isLowest
    ? { lowest: evidence, candidate: none, baseline: none }
    : { lowest: state.since.lowest, ...grown(state.since) };
  return { ...state, ...grown(state), bets, since };
}

const none: Losses = { outcomes: 0, loss: 0 };
const plus = (a: Losses, b: Losses): Losses => ({
  outcomes: a.outcomes + b.outcomes,
  loss: a.loss + b.loss,
});

function sumOf(waiting: readonly WaitingLoss[], of: WaitingLoss["side"]): Losses {
  const own = waiting.filter(({ side }) => side === of);
  return { outcomes: own.length, loss: own.reduce((sum, { loss }) => sum + loss, 0) };
}

/** The moments are of both sides together, and so tell nothing about who answered. */
function withMoments(
  { count, sum, squares }: OutcomeEvidence["pooled"],
  values: readonly number[],
): OutcomeEvidence["pooled"] {
  return {
    count: count + values.length,
    sum: values.reduce((all, value) => all + value, sum),
    squares: values.reduce((all, value) => all + value * value, squares),
  };
}

const inDeviations = (distance: number, deviation: number): number =>
  deviation === 0 ? 0 : Math.max(-MOST_DEVIATIONS, Math.min(MOST_DEVIATIONS, distance / deviation));

/** Logarithm of the evidence that the candidate's predictions are worse. */
export const logOutcomeEvidence = (evidence: OutcomeEvidence | null): number =>
  evidence === null ? 0 : logWealth(evidence.bets, 0, OUTCOME_EXPERTS);

export const meanLoss = ({ outcomes, loss }: Losses): number | null =>
  outcomes === 0 ? null : loss / outcomes;
