import type { ReconciliationReport } from "../agents/model_deployer/reconciliation_report.ts";
import type { Resumption } from "../agents/model_deployer/resume_operation.ts";
import type { Looked } from "./advance_rollout.ts";
import type { ToldNow } from "./told_problems.ts";

export interface TickReport {
  /** What each due rollout came to. */
  rollouts: Looked[];
  /** Operations that were carried to their end, and to which. */
  resumed: Resumption[];
  /** Deployments whose server was stopped. */
  drained: string[];
  /** What differed from the database, and what became of it; null when nobody looked in this round. */
  reconciliation: ReconciliationReport | null;
  /** Sentences about what could not be done and is tried again. */
  problems: string[];
  /** What of the problems is worth a line: one that lasts comes once and then counted, and one that is gone once more. */
  told: ToldNow;
}

export function emptyReport(): TickReport {
  return {
    rollouts: [],
    resumed: [],
    drained: [],
    reconciliation: null,
    problems: [],
    told: { problems: [], recovered: [] },
  };
}
