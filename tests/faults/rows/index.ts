import type { FaultRow } from "../harness/fault_row.ts";
import { contenders } from "./contenders.ts";
import { crashRealParts } from "./processes/crash_real_parts.ts";
import { contestedCrashRows, crashRows } from "./processes/crashes.ts";
import { engineRows } from "./engine_faults.ts";
import { harmRows } from "./harm/index.ts";
import { lifecycleRaces } from "./lifecycle_races.ts";
import { lifecycleScripts } from "./lifecycle_scripts.ts";
import { malformedRequestsRow } from "./malformed_requests.ts";
import { neighbourRows } from "./neighbour_faults.ts";
import { postgresRestarts } from "./postgres_restarts.ts";
import { rollbackAlone } from "./rollbacks/rollback_alone.ts";
import { rollbackLacks } from "./rollbacks/rollback_lacks.ts";
import { shiftedClock } from "./shifted_clock.ts";
import { stoppedProcess } from "./processes/stopped_process.ts";
import { terminatedWorker } from "./processes/terminated_worker.ts";
import { trafficSwitches } from "./traffic_switches.ts";

/** In the order in which they run. */
export const faultRows: readonly FaultRow[] = [
  ...crashRows,
  ...contestedCrashRows,
  crashRealParts,
  ...neighbourRows,
  ...engineRows,
  rollbackAlone,
  rollbackLacks,
  contenders,
  stoppedProcess,
  shiftedClock,
  terminatedWorker,
  postgresRestarts,
  trafficSwitches,
  lifecycleScripts,
  lifecycleRaces,
  malformedRequestsRow,
  ...harmRows,
];
