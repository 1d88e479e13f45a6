import type { FaultRow } from "../fault_row.ts";

/** In the order in which they run. */
export const faultRows: readonly FaultRow[] = [];
