import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { planDifferences } from "../agents/model_deployer/domain/plan_difference.ts";
import { InvalidApprovalError, NotFoundError } from "../agents/model_deployer/errors.ts";
import type { Operation } from "../agents/model_deployer/store_ports.ts";
import { exitCodes } from "./exit_codes.ts";
import type { Execute } from "./program.ts";
import { planLines } from "./plan_view.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { approvalReportSchema } from "./schemas.ts";
import type { Paint } from "./terminal.ts";

interface Options {
  reason: string;
  yes?: true | undefined;
}

export function addApprove(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("approve <operation>")
    .description("approve what an operation waits with, as the principal of the token")
    .requiredOption("--reason <text>", "why")
    .option("-y, --yes", "do not ask")
    .action((operation, options) =>
      execute("approve", (invocation) => approve(invocation, operation, options)),
    );
}

function approve(invocation: Invocation, operationId: string, options: Options): Promise<Report> {
  return invocation.withObserver(async ({ database }) => {
    const token = await invocation.token();
    const { principal } = await database.principals.authenticate(token);
    const operation = await database.operations.get(operationId);
    if (operation === null) {
      throw new NotFoundError(`Operation ${operationId} does not exist; status lists those that wait.`);
    }
    refuseWithoutNeed(operation);
    if (!invocation.terminal.json) {
      invocation.terminal.err((paint) => evidenceLines(operation, principal, paint));
    }
    const agreed = options.yes === true || (await invocation.confirm(`Approve as ${principal}?`));
    const granted = agreed
      ? await database.approvals.grant({ token, operation_id: operationId, reason: options.reason })
      : null;
    return approvalReport(operation, granted);
  });
}

function refuseWithoutNeed({ operation_id: id, status }: Operation): void {
  if (status === "awaiting_approval") return;
  throw new InvalidApprovalError(`Operation ${id} waits for no approval: it is ${status}.`);
}

function approvalReport(
  operation: Operation,
  granted: { approval_id: string; approver: string } | null,
): Report {
  const data = {
    approval_id: granted?.approval_id ?? null,
    approver: granted?.approver ?? null,
    operation_id: operation.operation_id,
    action: operation.action,
    requested_by: operation.requested_by,
    summary: operation.plan?.summary ?? "",
    approved: granted !== null,
  };
  return report(
    approvalReportSchema,
    data,
    ({ approver, operation_id: id }, paint) =>
      granted === null
        ? ["Nothing was approved."]
        : [
            paint.green(`approved by ${approver ?? ""}`) + paint.dim(`  ${granted.approval_id}, for 24 h`),
            paint.dim(`  it is carried on by:  model-deployer resume-operation ${id}`),
          ],
    granted === null ? exitCodes.refused : exitCodes.done,
  );
}

const EVIDENCE = "success criteria".length;

/** What evidence says, by its names; what is not set is left out. */
function leavesOf(value: unknown, path = ""): string[] {
  if (value === null || value === undefined) return [];
  if (typeof value === "object") {
    return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, `${path}${name} `));
  }
  if (typeof value === "number") return [`${path}${Number(value.toPrecision(4))}`];
  return [`${path}${typeof value === "string" ? value : JSON.stringify(value)}`];
}

/** The plan and what it was decided by: what an approver has to have seen. */
function evidenceLines(operation: Operation, principal: string, paint: Paint): string[] {
  const { plan } = operation;
  const moves = (plan?.on_success ?? []).filter((change) => change.change === "set_stage");
  const evidence = Object.fromEntries([
    ...moves.flatMap((move) => Object.entries({ metrics: move.metrics, ...move.evidence })),
    ...Object.entries(plan?.evidence ?? {}),
  ]);
  const facts = Object.entries(evidence).flatMap(([name, value]) => {
    const leaves = leavesOf(value);
    return leaves.length === 0 ? [] : [`${name.replaceAll("_", " ").padEnd(EVIDENCE)}  ${leaves.join(", ")}`];
  });
  const view =
    plan === null ? [] : planLines({ ...plan, steps: [], differences: planDifferences(plan) }, paint);
  return [
    paint.dim(
      `${operation.operation_id}: ${operation.action}, asked for by ${operation.requested_by}; you are ${principal}`,
    ),
    ...view,
    ...facts.map((fact) => paint.dim(`  ${fact}`)),
  ];
}
