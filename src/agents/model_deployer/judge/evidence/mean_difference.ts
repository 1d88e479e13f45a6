import { type Differences, noDifferences } from "../../domain/evidence/team_metrics.ts";
import { afterBlock, logWealth } from "../statistics/experts.ts";

/**
 * Evidence that the mean of some differences exceeds 0, at any look. A mean over few requests lies below its expectation
 * more often than above it where a few of them make most of it, such as revenue; its expectation is the same however
 * many they are.
 *
 * With x a difference in standard deviations, exp(k x - k^2 / 2 (x^2 / 3 + 2 / 3)) is 1 at most on average, however skewed:
 * Delyon, "Exponential inequalities for sums of weakly dependent variables" (2009), of the self-normalised processes of
 * Howard et al., "Time-uniform Chernoff bounds via nonnegative supermartingales" (2020). The deviation is that of the
 * differences before, which it is an estimate by.
 */
const BETS = [
  { stake: 0.1, share: 0.3 },
  { stake: 0.3, share: 0.4 },
  { stake: 0.7, share: 0.3 },
] as const;

/** So many differences tell how far they spread. */
const FEWEST_KNOWN = 5;
/** A difference counts for at most so many deviations, which can only weaken the evidence. */
const MOST_DEVIATIONS = 4;

/** @param least the smallest deviation that is believed */
export function addDifference(before: Differences | null, difference: number, least: number): Differences {
  const { count, sum, squares, bets } = before ?? noDifferences;
  const grown = { count: count + 1, sum: sum + difference, squares: squares + difference ** 2 };
  if (count < FEWEST_KNOWN) return { ...grown, bets };
  const variance = Math.max(0, squares - sum ** 2 / count) / (count - 1);
  const deviation = Math.max(least, Math.sqrt(variance * (1 + FEWEST_KNOWN / count)));
  if (deviation === 0) return { ...grown, bets };
  const x = Math.min(MOST_DEVIATIONS, difference / deviation);
  const won = BETS.map(({ stake }) => stake * x - (stake ** 2 / 2) * (x ** 2 / 3 + 2 / 3));
  return { ...grown, bets: afterBlock(bets, [won]) };
}

export const logMeanEvidence = ({ bets }: Differences): number => logWealth(bets, 0, BETS);
