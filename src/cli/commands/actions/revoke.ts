import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "../../invocation/execute.ts";
import type { z } from "zod";
import type { Invocation } from "../../invocation/invocation.ts";
import { report } from "../../invocation/command_report.ts";
import { revocationReportSchema } from "../../../service/report_schemas.ts";

export function addRevoke(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("revoke <operation>")
    .description("take back an approval of one's own that is not used yet, as the principal of the token")
    .requiredOption("--reason <text>", "why; kept with the approval")
    .action((operation_id, { reason }) =>
      execute("revoke", (invocation) =>
        revoked(invocation, operation_id, reason).then((found) =>
          report(revocationReportSchema, found, (data, paint) =>
            data.revoked.map(({ approval_id: id, approver }) => paint.yellow(`${approver} revoked ${id}`)),
          ),
        ),
      ),
    );
}

async function revoked(
  invocation: Invocation,
  operation_id: string,
  reason: string,
): Promise<z.infer<typeof revocationReportSchema>> {
  const path = `/v1/operations/${encodeURIComponent(operation_id)}/revocations`;
  const remote = await invocation.remote();
  if (remote !== null) return remote.ask(revocationReportSchema, path, { body: { reason } });
  return invocation.withObserver(async ({ database }) => {
    const token = await invocation.token();
    return { operation_id, revoked: await database.approvals.revoke({ token, operation_id, reason }) };
  });
}
