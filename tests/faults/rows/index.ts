import type { FaultRow } from "../fault_row.ts";
import { contenders } from "./contenders.ts";
import { malformedRequestsRow } from "./malformed_requests.ts";
import { neighbourRows } from "./neighbour_faults.ts";
import { stoppedProcess } from "./stopped_process.ts";
import { terminatedWorker } from "./terminated_worker.ts";
import { trafficSwitches } from "./traffic_switches.ts";

/** In the order in which they run. */
export const faultRows: readonly FaultRow[] = [
  ...neighbourRows,
  contenders,
  stoppedProcess,
  terminatedWorker,
  trafficSwitches,
  malformedRequestsRow,
];
