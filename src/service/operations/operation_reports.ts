import { viewOf } from "../../agents/model_deployer/nodes/plan_view.ts";
import { actionRequestSchema } from "../../agents/model_deployer/domain/requests.ts";
import type { Plan } from "../../agents/model_deployer/domain/plan.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import { type Subject, subjectOf } from "../../agents/model_deployer/operations/operation_subject.ts";
import { decisionTable } from "../../agents/model_deployer/planning/approval/decision_table.ts";
import type { Operation } from "../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type {
  ApprovalRecord,
  OperationState,
} from "../../database/repositories/reading/operation_records.ts";
import type { OperationReport } from "./operation_schemas.ts";

/** The newest operations first. */
export async function operationReports(
  database: DeployerDatabase,
  options: { state: OperationState; limit: number },
): Promise<OperationReport[]> {
  return reportsOf(database, await database.operationRecords.list(options));
}

/** @throws NotFoundError */
export async function operationReport(database: DeployerDatabase, id: string): Promise<OperationReport> {
  const operation = await database.operations.get(id);
  const [report] = operation === null ? [] : await reportsOf(database, [operation]);
  if (report === undefined)
    throw new NotFoundError(`Operation ${id} does not exist; status lists those that wait.`);
  return report;
}

async function reportsOf(database: DeployerDatabase, operations: Operation[]): Promise<OperationReport[]> {
  const approvals = await database.operationRecords.approvals(operations.map((one) => one.operation_id));
  return Promise.all(
    operations.map(async (operation) => {
      const own = approvals.filter((one) => one.operation_id === operation.operation_id);
      return reportOf(operation, await subjectOfOperation(operation, database), own);
    }),
  );
}

/** The experiment and endpoint that an operation is about, as far as the database knows them. */
export async function subjectOfOperation(
  { request }: Pick<Operation, "request">,
  database: DeployerDatabase,
): Promise<Subject> {
  const parsed = actionRequestSchema.safeParse(request);
  return parsed.success ? subjectOf(parsed.data, database) : { experiment_id: null, endpoint_name: null };
}

function reportOf(operation: Operation, subject: Subject, approvals: ApprovalRecord[]): OperationReport {
  const { plan, payload_hash: _, action_key: _key, result: _result, ...told } = operation;
  return {
    ...told,
    ...subject,
    endpoint_name: subject.endpoint_name ?? (plan === null ? null : endpointOf(plan)),
    plan: plan === null ? null : viewOf(plan),
    evidence: plan === null ? {} : evidenceOf(plan),
    decision: plan === null ? [] : decisionTable(plan),
    approvals: approvals.map(({ operation_id: _id, generation: _generation, ...one }) => one),
    approvals_needed: plan?.approvals_needed ?? 0,
    approvals_given: approvals.filter((one) => one.holds || one.used_at !== null).length,
  };
}

/** Other leases than an endpoint's have a slash in their names. */
const endpointOf = ({ lease_name }: Plan): string | null => (lease_name.includes("/") ? null : lease_name);

/** All that a plan rests on, by name, for whoever approves it. */
function evidenceOf(plan: Plan): Record<string, unknown> {
  const moves = plan.on_success.filter((change) => change.change === "set_stage");
  return Object.fromEntries([
    ...moves.flatMap((move) => Object.entries({ metrics: move.metrics, ...move.evidence })),
    ...Object.entries(plan.evidence),
  ]);
}
