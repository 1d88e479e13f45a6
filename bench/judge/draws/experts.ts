import { z } from "zod";
import { type Draw, logDrawEvidence } from "./random_draw.ts";

/** A bet on how much higher the candidate's odds of a mark are, with its share of the stake. */
export interface Expert {
  odds_ratio: number;
  share: number;
}

/** Of an expert's stake, what is bet on a difference that is there from the first block on. */
const FROM_THE_START = 0.85;

/** Sum over n >= 2 of 1/(n ln(n)^2), so that what is put on later beginnings sums to the rest (OEIS A115563). */
const LATER_SUM = 2.109_742_801_236_9;

/**
 * What an expert newly stakes at block `n` = 1, 2, ...: a difference that began there. The stakes of all blocks sum to 1,
 * so whoever turns bad at block n is found later by no more than the logarithm of that share.
 */
export function stakeAt(block: number): number {
  const later = block + 1;
  const rest = (1 - FROM_THE_START) / LATER_SUM / (later * Math.log(later) ** 2);
  return block === 1 ? FROM_THE_START + rest : rest;
}

export const betsSchema = z.strictObject({
  /** Stretches that were bet on. */
  blocks: z.int().min(0),
  /** The part of each expert's stake that is not bet yet. */
  unstaked: z.number().min(0).max(1),
  /** Logarithms of the experts' wealth, by what they bet on. */
  wealth: z.array(z.array(z.number())),
});
export type Bets = z.infer<typeof betsSchema>;

/** e^-700 is as good as nothing, and a number that JSON can hold. */
export const NOTHING = -700;

/** Before any stretch. */
export const noBets = (subjects: number, experts: readonly Expert[]): Bets => ({
  blocks: 0,
  unstaked: 1,
  wealth: Array.from({ length: subjects }, () => experts.map(() => NOTHING)),
});

/** The same after one more block: each expert stakes anew, and bets all that it has. */
export function bet(
  wealth: readonly number[],
  experts: readonly Expert[],
  stake: number,
  draw: Draw,
): number[] {
  return experts.map(({ odds_ratio }, index) => {
    const before = logAdd(wealth[index] ?? NOTHING, Math.log(stake));
    return Math.max(NOTHING, before + logDrawEvidence(draw, odds_ratio));
  });
}

/** Logarithm of all experts' wealth together, what is not staked yet included; 0 before the first block. */
export function logWealth(wealth: readonly number[], experts: readonly Expert[], unstaked: number): number {
  const all = experts.map(({ share }, index) => Math.log(share) + (wealth[index] ?? NOTHING));
  return all.reduce(logAdd, Math.log(Math.max(unstaked, Number.MIN_VALUE)));
}

export function logAdd(a: number, b: number): number {
  const [large, small] = a > b ? [a, b] : [b, a];
  return large + Math.log1p(Math.exp(small - large));
}
