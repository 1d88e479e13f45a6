import type { Answers, Tally } from "../../domain/evidence/figures.ts";

/**
 * Answers to requests from before the present weights are no part of the draw that the router makes under them. Where
 * the candidate had more traffic before, they would count against it, such as all that hung in an outage. Counters do
 * not tell which answers they are, so as many as were in flight then are left out where they count most against the
 * candidate, which can only weaken the evidence.
 */
interface Kept<T> {
  kept: T;
  /** How many of them may still come. */
  carried: number;
}

/** Leaves out that many marked answers. */
export function withoutMarked(tally: Tally, carried: number): Kept<Tally> {
  const left = Math.min(carried, tally.errors);
  return {
    kept: { requests: tally.requests - left, errors: tally.errors - left },
    carried: carried - left,
  };
}

/** Leaves out that many of the slowest answers. */
export function withoutSlowest(latency: Answers["latency"], carried: number): Kept<Answers["latency"]> {
  let left = carried;
  const kept = latency.toReversed().map((count) => {
    const here = Math.min(left, count);
    left -= here;
    return count - here;
  });
  return { kept: kept.toReversed(), carried: left };
}
