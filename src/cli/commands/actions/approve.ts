import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { planDifferences } from "../../../agents/model_deployer/planning/plan_difference.ts";
import { InvalidApprovalError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import type { Operation } from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import { decisionTable } from "../../../agents/model_deployer/planning/approval/decision_table.ts";
import {
  expirySentence,
  waysOfUnusable,
} from "../../../agents/model_deployer/planning/approval/usable_approval.ts";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import { decisionLines } from "../../output/decision_lines.ts";
import { planLines } from "../../output/plan_text.ts";
import { z } from "zod";
import { operationReportSchema } from "../../../service/operations/operation_schemas.ts";
import type { RemoteApi } from "../../remote/remote_api.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { approvalReportSchema } from "../../../service/report_schemas.ts";
import { nextLines } from "../../output/next_lines.ts";
import type { Paint } from "../../output/terminal/terminal.ts";

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

/** Through the API: the same plan and evidence, and the same question. */
async function approveRemotely(
  invocation: Invocation,
  remote: RemoteApi,
  operationId: string,
  { reason, yes }: Options,
): Promise<Report> {
  const path = `/v1/operations/${encodeURIComponent(operationId)}`;
  const { principal } = await remote.ask(z.looseObject({ principal: z.string() }), "/v1/session");
  const operation = await remote.ask(operationReportSchema, path);
  refuseWithoutNeed(operation, new Date().toISOString());
  const { plan, decision } = operation;
  if (!invocation.terminal.json) {
    invocation.terminal.err((paint) => [
      paint.dim(
        `${operation.operation_id}: ${operation.action}, asked for by ${operation.requested_by}; you are ${principal}`,
      ),
      ...(plan === null
        ? []
        : [...planLines({ ...plan, steps: [] }, paint), ...decisionLines(decision, paint)]),
    ]);
  }
  const agreed = yes === true || (await invocation.confirm(`Approve as ${principal}?`));
  if (!agreed) return approvalReport(operation, null);
  const { approvals } = await remote.ask(operationReportSchema, `${path}/approvals`, { body: { reason } });
  const own = approvals.find((one) => one.approver === principal && one.holds);
  return approvalReport(operation, own ?? null);
}

async function approve(invocation: Invocation, operationId: string, options: Options): Promise<Report> {
  const remote = await invocation.remote();
  if (remote !== null) return approveRemotely(invocation, remote, operationId, options);
  return invocation.withObserver(async ({ database }) => {
    const token = await invocation.token();
    const { principal } = await database.principals.authenticate(token);
    const operation = await database.operations.get(operationId);
    if (operation === null) {
      throw new NotFoundError(`Operation ${operationId} does not exist; status lists those that wait.`);
    }
    refuseWithoutNeed(operation, await database.clock.now());
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

type Waiting = Pick<Operation, "operation_id" | "status" | "refusal" | "request" | "waits_until">;

function refuseWithoutNeed(operation: Waiting, now: string): void {
  const { operation_id: id, status, refusal, waits_until } = operation;
  const next = waysOfUnusable(operation);
  if (status !== "awaiting_approval") {
    const why = refusal === null ? "" : ` ${refusal.sentence}`;
    throw new InvalidApprovalError(`Operation ${id} waits for no approval: it is ${status}.${why}`, { next });
  }
  const isOver = waits_until !== null && Date.parse(waits_until) <= Date.parse(now);
  if (isOver) throw new InvalidApprovalError(expirySentence(id, waits_until), { next });
}

function approvalReport(
  operation: Pick<Operation, "operation_id" | "action" | "requested_by"> & {
    plan: { summary: string } | null;
  },
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
            ...nextLines(
              [
                [
                  `model-deployer resume-operation ${id}`,
                  "carries it out; a `release` that asked for it goes on by the same command again",
                ],
              ],
              paint,
            ),
          ],
    granted === null ? exitCodes.refused : exitCodes.done,
  );
}

/** The plan and its evidence, which an approver has to see. */
function evidenceLines(operation: Operation, principal: string, paint: Paint): string[] {
  const { plan } = operation;
  return [
    paint.dim(
      `${operation.operation_id}: ${operation.action}, asked for by ${operation.requested_by}; you are ${principal}`,
    ),
    ...(plan === null
      ? []
      : [
          ...planLines({ ...plan, steps: [], differences: planDifferences(plan) }, paint),
          ...decisionLines(decisionTable(plan), paint),
        ]),
  ];
}
