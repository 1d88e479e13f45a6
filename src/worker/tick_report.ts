import type { ReconciliationReport } from "../agents/model_deployer/reconciliation/reconciliation_report.ts";
import type { Resumption } from "../agents/model_deployer/operations/resume_operation.ts";
import type { LookOutcome } from "./rollouts/advance_rollout.ts";
import type { ThrottledProblems } from "./problem_throttle.ts";

export interface TickReport {
  /** The outcome for each due rollout. */
  rollouts: LookOutcome[];
  /** Operations that were carried to their end, and to which. */
  resumed: Resumption[];
  /** Sentences about what takes long: whose it is, what is made, how far it is, and how long it may take. */
  progress: string[];
  /** Deployments whose server was stopped. */
  drained: string[];
  /** The differences from the database and their repair; null when nobody looked in this round. */
  reconciliation: ReconciliationReport | null;
  /** Sentences about what it has done by itself, such as removing what nobody needs. */
  upkeep: string[];
  /** Sentences about what could not be done and is tried again. */
  problems: string[];
  /** Sentences about disks that are nearly full, which are among the problems too. */
  shortages: string[];
  /**
   * The problems that are worth a line: a new one at once, a lasting one seldom and with its count, and one more line
   * when it is gone.
   */
  told: ThrottledProblems;
}

export function emptyReport(): TickReport {
  return {
    rollouts: [],
    resumed: [],
    progress: [],
    drained: [],
    upkeep: [],
    reconciliation: null,
    problems: [],
    shortages: [],
    told: { problems: [], lasting: [], recovered: [] },
  };
}
