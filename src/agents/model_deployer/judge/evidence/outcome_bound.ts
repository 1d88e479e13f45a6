import type { Bets } from "../../domain/evidence/bets.ts";
import type {
  Measure,
  OutcomeEvidence,
  OutcomeSettings,
  WaitingLoss,
} from "../../domain/evidence/late_outcomes.ts";
import { MOST_LOSS } from "./outcome_loss.ts";
import { afterBlock, logWealth } from "../statistics/experts.ts";

/**
 * An upper bound, valid at any look, of how much higher the candidate's mean loss is.
 *
 * The router draws who answers, so that X = (loss - m) (1/s at the candidate, -1/(1 - s) at the baseline) has the
 * difference of both sides' expected losses as its expectation, for any m that was fixed before; s is the candidate's
 * share. Of a pair on one request X is the difference itself. Against "the difference is w or more" each bet multiplies
 * the wealth by 1 - stake (X - w), which stays positive since X has a most: Waudby-Smith, Ramdas, "Estimating means of
 * bounded random variables by betting" (2024), with the weighting of Horvitz and Thompson (1952).
 */
export const OUTCOME_WORSE_BY: readonly number[] = [
  0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5,
];

/** Parts of the largest stake that can be bet. */
export const BOUND_PARTS = [
  { part: 0.03, share: 0.25 },
  { part: 0.1, share: 0.25 },
  { part: 0.3, share: 0.25 },
  { part: 0.7, share: 0.25 },
] as const;

/** @param most the largest value that a difference may have */
export function excludeDifferences(bets: Bets, differences: readonly number[], most: number): Bets {
  const won = OUTCOME_WORSE_BY.map((worse) =>
    BOUND_PARTS.map(({ part }) => {
      if (most <= worse) return 0;
      const stake = part / (most - worse);
      return differences.reduce((sum, one) => sum + Math.log1p(-stake * (one - worse)), 0);
    }),
  );
  return afterBlock(bets, won);
}

/** Beyond so many deviations outcomes are told of another part of one side's answers than of the other's. */
const UNLIKELY = 4;

/**
 * The candidate's share of the outcomes that come, which is the route's unless those that came before show that a join or
 * a log loses more of one side than of the other.
 */
export function shareOfTold(
  { outcomes, drawn, expected, variance }: OutcomeEvidence["told"],
  share: number,
): number {
  if (Math.abs(drawn - expected) <= UNLIKELY * Math.sqrt(variance) + 1) return share;
  const odds = (part: number) => (part + 1) / (outcomes - part + 1);
  const told = (share / (1 - share)) * (odds(drawn) / odds(expected));
  return told / (1 + told);
}

export function withTold(
  told: OutcomeEvidence["told"],
  outcomes: number,
  drawn: number,
  share: number,
): OutcomeEvidence["told"] {
  return {
    outcomes: told.outcomes + outcomes,
    drawn: told.drawn + drawn,
    expected: told.expected + share * outcomes,
    variance: told.variance + share * (1 - share) * outcomes,
  };
}

/** @param mean of losses before these, of both sides; null before the first */
export function excludeByDraw(
  bets: Bets,
  losses: readonly WaitingLoss[],
  { measure, mean, share }: { measure: Measure; mean: number | null; share: number },
): Bets {
  const most = MOST_LOSS[measure];
  if (most === null) return bets;
  const middle = mean ?? most / 2;
  const differences = losses.map(({ side, loss }) =>
    side === "candidate" ? (loss - middle) / share : (middle - loss) / (1 - share),
  );
  return excludeDifferences(bets, differences, Math.max((most - middle) / share, middle / (1 - share)));
}

export function excludeByPairs(bets: Bets, differences: readonly number[], measure: Measure): Bets {
  const most = MOST_LOSS[measure];
  return most === null ? bets : excludeDifferences(bets, differences, most);
}

/** The smallest difference that is excluded beyond doubt; null while none is, or the measure has no bound. */
export function lossWorseByAtMost(bets: Bets, alpha: number): number | null {
  const isExcluded = (_: number, index: number) => logWealth(bets, index, BOUND_PARTS) >= -Math.log(alpha);
  return OUTCOME_WORSE_BY.find(isExcluded) ?? null;
}

/** Why losses that are worse by the margin are not excluded yet; null where they are, or none is asked for. */
export function openMargin(
  outcomes: OutcomeEvidence | null,
  { margin = null }: Pick<OutcomeSettings, "margin">,
  alpha: number,
): string | null {
  if (margin === null) return null;
  const bound = outcomes === null ? null : lossWorseByAtMost(outcomes.excluded, alpha);
  if (bound !== null && bound <= margin) return null;
  const known = bound === null ? "no bound is known yet" : `it is worse by at most ${bound}`;
  return `outcomes worse by ${margin} are not excluded yet, ${known}`;
}
