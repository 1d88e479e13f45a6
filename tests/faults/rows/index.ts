import type { FaultRow } from "../fault_row.ts";
import { neighbourRows } from "./neighbour_faults.ts";
import { trafficSwitches } from "./traffic_switches.ts";

/** In the order in which they run. */
export const faultRows: readonly FaultRow[] = [...neighbourRows, trafficSwitches];
