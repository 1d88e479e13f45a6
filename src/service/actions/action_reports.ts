import { answerSchema } from "../../agents/model_deployer/domain/answer.ts";
import type { Resumption } from "../../agents/model_deployer/operations/resume_operation.ts";
import type { OperationReader } from "../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { ApplyReport, ResumptionReport } from "../report_schemas.ts";
import type { ActionOutcome } from "./run_action.ts";

/** The report of an action that was carried out, or begun. */
export function appliedReport(outcome: ActionOutcome, seconds: number): ApplyReport {
  return {
    status: statusOf(outcome.status),
    operation_id: outcome.operation_id ?? null,
    deployment_manifest: outcome.deployment_manifest ?? null,
    version_record: outcome.version_record ?? null,
    rollback_successful: outcome.rollback_successful ?? null,
    active_deployment_id: outcome.active_deployment_id ?? null,
    warnings: outcome.warnings.filter((warning) => !outcome.degraded.includes(warning)),
    degraded: outcome.degraded,
    seconds: Math.round(seconds * 1000) / 1000,
  };
}

function statusOf(status: string | undefined): ApplyReport["status"] {
  return status === "in_progress" || status === "declined" ? status : "completed";
}

const ENDS = {
  finished: "completed",
  undone: "undone",
  refused: "refused",
} as const satisfies Record<Resumption["outcome"], ResumptionReport["status"]>;

const DELIVERY_MS = 3000;

/** The report of an operation that was carried on to its end, after its deliveries. */
export async function resumedReport(
  {
    database,
    deliver,
  }: {
    database: { operations: Pick<OperationReader, "get"> };
    deliver: (options: { signal: AbortSignal }) => Promise<string[]>;
  },
  { operation_id, outcome, action, reason }: Resumption,
  seconds: () => number,
): Promise<ResumptionReport> {
  const operation = await database.operations.get(operation_id);
  const result = answerSchema.safeParse(operation?.result).data;
  const degraded = await deliver({ signal: AbortSignal.timeout(DELIVERY_MS) });
  const told = { ...result, operation_id, warnings: result?.notes ?? [], degraded };
  return { ...appliedReport(told, seconds()), status: ENDS[outcome], action, reason };
}
