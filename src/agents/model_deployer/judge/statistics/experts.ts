import { type Bets, noBets } from "../../domain/evidence/bets.ts";
import { type Draw, logDrawEvidence } from "./random_draw.ts";

/** A bet on how much higher the candidate's odds of a mark are, with its share of the stake. */
export interface Expert {
  odds_ratio: number;
  share: number;
}

/** The part of an expert's stake that is bet on a difference from the first block on. */
const FROM_THE_START = 0.85;

/** Sum over n >= 2 of 1/(n ln(n)^2), which normalises the stakes on later beginnings (OEIS A115563). */
const LATER_SUM = 2.109_742_801_236_9;

/**
 * An expert's new stake at block `n` = 1, 2, ...: on a difference that began there. The stakes of all blocks sum to 1,
 * so a candidate that turns bad at block n is found later by no more than the logarithm of that share.
 */
export function stakeAt(block: number): number {
  const later = block + 1;
  const rest = (1 - FROM_THE_START) / LATER_SUM / (later * Math.log(later) ** 2);
  return block === 1 ? FROM_THE_START + rest : rest;
}

/** The logarithm of a negligible wealth: e^-700 is close to 0 and still a number in JSON. */
export const NOTHING = -700;

/**
 * The bets after one more block: each expert adds its new stake, and bets all of its wealth.
 * @param draws one for each subject of the bets; null where nothing is bet
 * @param most logarithm of what one block multiplies the evidence by at most
 */
export function betAgain(
  bets: Bets,
  experts: readonly Expert[],
  draws: readonly (Draw | null)[],
  most = Infinity,
): Bets {
  const won = (draw: Draw | null) =>
    experts.map(({ odds_ratio }) => (draw === null ? 0 : Math.min(most, logDrawEvidence(draw, odds_ratio))));
  return afterBlock(bets, draws.map(won));
}

/** @param won logarithms of what each expert's wealth is multiplied by, by the subject of the bet */
export function afterBlock({ blocks, unstaked, wealth }: Bets, won: readonly (readonly number[])[]): Bets {
  const stake = stakeAt(blocks + 1);
  return {
    blocks: blocks + 1,
    unstaked: Math.max(0, unstaked - stake),
    wealth: won.map((factors, subject) =>
      factors.map((factor, index) => {
        const staked = logAdd(wealth[subject]?.[index] ?? NOTHING, Math.log(stake));
        return Math.max(NOTHING, staked + factor);
      }),
    ),
  };
}

/** Logarithm of all experts' wealth in a subject, including stakes not yet bet; 0 before the first block. */
export function logWealth(bets: Bets, subject: number, experts: readonly { share: number }[]): number {
  if (bets.blocks === noBets.blocks) return 0;
  const wealth = bets.wealth[subject] ?? [];
  const all = experts.map(({ share }, index) => Math.log(share) + (wealth[index] ?? NOTHING));
  return all.reduce(logAdd, Math.log(Math.max(bets.unstaked, Number.MIN_VALUE)));
}

export function logAdd(a: number, b: number): number {
  const [large, small] = a > b ? [a, b] : [b, a];
  return large + Math.log1p(Math.exp(small - large));
}
