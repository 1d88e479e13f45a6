import type { FaultRow } from "../fault_row.ts";
import { crashRows } from "./crashes.ts";

/** In the order in which they run. */
export const faultRows: readonly FaultRow[] = [...crashRows];
