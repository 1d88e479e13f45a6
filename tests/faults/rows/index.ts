import type { FaultRow } from "../fault_row.ts";
import { neighbourRows } from "./neighbour_faults.ts";

/** In the order in which they run. */
export const faultRows: readonly FaultRow[] = [...neighbourRows];
