import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { rollbackRequest } from "./action_request.ts";
import { applyRequest } from "./apply.ts";
import type { Execute } from "./program.ts";

/** At once, without a question: whoever asks for it at night has decided. */
export function addRollback(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("rollback <target>")
    .description("bring back what served before, at once; the target is an endpoint or its deployment")
    .requiredOption("--reason <text>", "why; kept in the history")
    .action((target, { reason }) =>
      execute("rollback", (invocation) =>
        applyRequest(invocation, rollbackRequest(target, reason), { asks: false }),
      ),
    );
}
