import { logAdd } from "./experts.ts";

/**
 * Logarithm of an e-variable against "who answered made no difference to the loss": exp(tilt * sum of the drawn losses)
 * over its mean over all draws of as many of the losses. Of losses that are 0 or 1 it is Fisher's noncentral
 * hypergeometric likelihood ratio at odds of exp(tilt). Its expectation is 1 for any losses, since each draw is as likely.
 *
 * The mean over the draws is an elementary symmetric mean, by the recurrence for one more element.
 * @param losses of both sides
 * @param drawn indices of the candidate's
 */
export function logTiltedDraw(losses: readonly number[], drawn: readonly number[], tilt: number): number {
  const means = [0, ...drawn.map(() => Number.NEGATIVE_INFINITY)];
  for (const [index, loss] of losses.entries()) {
    const seen = index + 1;
    for (let size = Math.min(drawn.length, seen); size >= 1; size -= 1) {
      const without = Math.log1p(-size / seen) + (means[size] ?? 0);
      const within = Math.log(size / seen) + tilt * loss + (means[size - 1] ?? 0);
      means[size] = without === Number.NEGATIVE_INFINITY ? within : logAdd(without, within);
    }
  }
  const sum = drawn.reduce((all, index) => all + (losses[index] ?? 0), 0);
  return tilt * sum - (means[drawn.length] ?? 0);
}

/**
 * The same for a pair on one request, of which each is as likely to be the candidate's: exp(tilt * d) / cosh(tilt * d)
 * with d the candidate's loss minus the other one.
 */
export function logTiltedPair(difference: number, tilt: number): number {
  const x = tilt * difference;
  return x - (Math.abs(x) + Math.log1p(Math.exp(-2 * Math.abs(x))) - Math.LN2);
}
