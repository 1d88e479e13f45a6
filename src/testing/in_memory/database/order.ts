import { microsOf } from "../../clock.ts";

/** Earliest first; what is of one instant keeps its order. */
export function inOrder<Row>(rows: readonly Row[], instantOf: (row: Row) => string): Row[] {
  return rows.toSorted((a, b) => microsOf(instantOf(a)) - microsOf(instantOf(b)));
}
