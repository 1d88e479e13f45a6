import type { ShadowEvidence } from "../../domain/entities.ts";
import { logAdd } from "../statistics/experts.ts";

/** Parts of the largest stake that can be bet; small ones for sides that both fail often. */
const STAKES = [0.05, 0.2, 0.5, 0.9] as const;

/**
 * An upper bound, valid at any number of looks, of how much worse a shadow is: of the answers that production gets right,
 * the share that it fails; null while none is known.
 *
 * Both answer the same requests. With X and Y for the shadow's and production's failure of one, being worse by w or more
 * says E[w + (1 - w) Y - X] <= 0, however both depend on each other and whatever changes meanwhile. Bets on that variable
 * grow to 1 / alpha with probability alpha at most: Waudby-Smith, Ramdas, "Estimating means of bounded random variables by
 * betting" (2024). Only sums are known, so that as few failures as can be count as shared, which can only weaken it.
 */
export function shadowWorseByAtMost(
  seen: Pick<ShadowEvidence, "requests" | "errors" | "production_errors">,
  alpha: number,
): number | null {
  const isExcluded = (worse: number) => logWealthAgainst(worse, seen) >= -Math.log(alpha);
  let [low, high] = [0, 0.999];
  if (!isExcluded(high)) return null;
  for (let halving = 0; halving < 30; halving += 1) {
    const middle = (low + high) / 2;
    if (isExcluded(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function logWealthAgainst(
  worse: number,
  { requests, errors, production_errors }: Pick<ShadowEvidence, "requests" | "errors" | "production_errors">,
): number {
  const others = Math.min(production_errors, requests);
  const shared = Math.max(0, errors + others - requests);
  const alike = requests - errors - others + shared;
  return STAKES.map((part) => {
    const stake = part / (1 - worse);
    return (
      (errors - shared) * Math.log1p(-part) +
      (others - shared) * Math.log1p(stake) +
      alike * Math.log1p(stake * worse) -
      Math.log(STAKES.length)
    );
  }).reduce(logAdd);
}
