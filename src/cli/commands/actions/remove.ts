import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { removalRequest } from "./action_request.ts";
import { applyRequest } from "./apply.ts";
import type { Execute } from "../../invocation/execute.ts";

/** Shows its plan and asks where somebody can answer. */
export function addRemove(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("remove <deployment>")
    .description("take the server of a deployment away: of staging, of a shadow, or of one that has ended")
    .requiredOption("--reason <text>", "why; kept in the history")
    .option("-y, --yes", "do not ask")
    .action((deployment, { reason, yes }) =>
      execute("remove", (invocation) =>
        applyRequest(invocation, removalRequest(deployment, reason), { asks: yes !== true }),
      ),
    );
}
