import { type Answers, LATENCY_BOUNDS_MS, type Tally } from "../../domain/evidence/figures.ts";

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

/** Looks are this far apart, or further. */
const LOOK_MS = 1000;

/**
 * Leaves out that many of the slowest answers of a look, as far as they may be to requests from before the present
 * weights: not those that took less time than these have been in force for. Only what took longer than that was surely
 * carried over, and counts as come: in an outage in which all hang, quick answers would use up the number before the
 * last of the hung ones has come.
 * @param looks since the weights were seen in force, this one included
 */
export function withoutSlowest(
  latency: Answers["latency"],
  carried: number,
  looks: number,
): Kept<Answers["latency"]> {
  let left = carried;
  let come = 0;
  const kept = latency
    .map((count, bin) => ({ count, bin }))
    .toReversed()
    .map(({ count, bin }) => {
      const isSurelyNew = (LATENCY_BOUNDS_MS[bin] ?? Infinity) <= (looks - 1) * LOOK_MS;
      const here = isSurelyNew ? 0 : Math.min(left, count);
      left -= here;
      if ((LATENCY_BOUNDS_MS[bin - 1] ?? 0) >= looks * LOOK_MS) come += here;
      return count - here;
    });
  return { kept: kept.toReversed(), carried: carried - come };
}
