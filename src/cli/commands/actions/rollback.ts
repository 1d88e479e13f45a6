import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { ROLLBACK_FLAGS, rollbackRequest } from "./action_request.ts";
import { applyRequest } from "./apply.ts";
import type { Execute } from "../../invocation/execute.ts";

/** Rolls back at once, without a question: whoever asks for it at night has decided. */
export function addRollback(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("rollback <target>")
    .description(
      "bring back what served before, or what --to names, at once; the target is an endpoint, or the deployment that is bad",
    )
    .requiredOption("--reason <text>", "why; kept in the history")
    .option(...ROLLBACK_FLAGS.to)
    .option(...ROLLBACK_FLAGS.condemnedBecause)
    .action((target, options) =>
      execute("rollback", (invocation) =>
        applyRequest(invocation, rollbackRequest(target, options), { asks: false, isHurried: true }),
      ),
    );
}
