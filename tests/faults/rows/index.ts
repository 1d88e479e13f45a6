import type { FaultRow } from "../fault_row.ts";
import { lifecycleRaces } from "./lifecycle_races.ts";
import { lifecycleScripts } from "./lifecycle_scripts.ts";
import { malformedRequestsRow } from "./malformed_requests.ts";
import { neighbourRows } from "./neighbour_faults.ts";
import { trafficSwitches } from "./traffic_switches.ts";

/** In the order in which they run. */
export const faultRows: readonly FaultRow[] = [
  ...neighbourRows,
  trafficSwitches,
  lifecycleScripts,
  lifecycleRaces,
  malformedRequestsRow,
];
