import { logBinomial } from "./log_factorial.ts";

/**
 * Compares two sides that a router chooses between at random for each request. If both sides are alike, the candidate's
 * answers are a random draw from all answers of a block, some of which are marked (they failed, or took longer than a
 * bound): the number of marked ones among them is hypergeometric, whatever share was marked and however that share
 * changed meanwhile.
 */
export interface Draw {
  /** Answers of both sides, and marked ones among them. */
  all: number;
  allMarked: number;
  /** Answers of the candidate, and marked ones among them. */
  drawn: number;
  marked: number;
}

/**
 * Logarithm of an e-variable against "the odds of a mark are no higher at the candidate": the likelihood ratio of Fisher's
 * noncentral hypergeometric distribution at `oddsRatio` > 1, oddsRatio^marked / E[oddsRatio^M] with M drawn as said above.
 * Its expectation is 1 where the sides are alike, and lower where the candidate is better, since M is then stochastically
 * smaller. 0 where the draw could not have come out otherwise.
 *
 * Fisher, "The Logic of Inductive Inference" (1935). By Ville's inequality a product of such e-variables exceeds 1/alpha
 * with probability alpha at most, at any number of looks.
 */
export function logDrawEvidence({ all, allMarked, drawn, marked }: Draw, oddsRatio: number): number {
  const unmarked = all - allMarked;
  const least = Math.max(0, drawn - unmarked);
  const most = Math.min(drawn, allMarked);
  if (least === most) return 0;
  const logOdds = Math.log(oddsRatio);
  let term = logBinomial(allMarked, least) + logBinomial(unmarked, drawn - least) + least * logOdds;
  let largest = term;
  let sum = 1;
  for (let count = least; count < most; count += 1) {
    const ratio = ((allMarked - count) * (drawn - count)) / ((count + 1) * (unmarked - drawn + count + 1));
    term += Math.log(ratio) + logOdds;
    if (term > largest) {
      sum = sum * Math.exp(largest - term) + 1;
      largest = term;
    } else sum += Math.exp(term - largest);
  }
  return marked * logOdds + logBinomial(all, drawn) - largest - Math.log(sum);
}
