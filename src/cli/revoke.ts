import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "./program.ts";
import { report } from "./runner.ts";
import { revocationReportSchema } from "./schemas.ts";

export function addRevoke(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("revoke <operation>")
    .description("take back an approval of one's own that is not used yet, as the principal of the token")
    .requiredOption("--reason <text>", "why; kept with the approval")
    .action((operation_id, { reason }) =>
      execute("revoke", (invocation) =>
        invocation.withObserver(async ({ database }) => {
          const token = await invocation.token();
          const revoked = await database.approvals.revoke({ token, operation_id, reason });
          return report(revocationReportSchema, { operation_id, revoked }, (data, paint) =>
            data.revoked.map(({ approval_id: id, approver }) => paint.yellow(`${approver} revoked ${id}`)),
          );
        }),
      ),
    );
}
