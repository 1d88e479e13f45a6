import type { FaultRow } from "../../harness/fault_row.ts";
import { clockJumps } from "./clock_jumps.ts";
import { fullDisk } from "./full_disk.ts";
import { fullLogs } from "./full_logs.ts";
import { hungPredictions } from "./hung_predictions.ts";
import { lateProbes } from "./late_probes.ts";
import { restartsByHand } from "./restarts.ts";
import { slowAnswers } from "./slow_answers.ts";
import { cpuStarved, memoryPressure } from "./starved.ts";
import { upstreamAway } from "./upstream_away.ts";

/** What is around the deployer fails, and production must not notice that there is one. */
export const harmRows: readonly FaultRow[] = [
  upstreamAway,
  slowAnswers,
  lateProbes,
  clockJumps,
  cpuStarved,
  memoryPressure,
  fullDisk,
  fullLogs,
  hungPredictions,
  restartsByHand,
];
