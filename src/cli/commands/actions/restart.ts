import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { restartRequest } from "./action_request.ts";
import { applyRequest } from "./apply.ts";
import type { Execute } from "../../invocation/execute.ts";

/** Shows its plan and asks where somebody can answer. */
export function addRestart(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("restart <deployment>")
    .description("start another server of a deployment, give it the traffic, then stop the former one")
    .requiredOption("--reason <text>", "why; kept in the history")
    .option("-y, --yes", "do not ask")
    .action((deployment, { reason, yes }) =>
      execute("restart", (invocation) =>
        applyRequest(invocation, restartRequest(deployment, reason), { asks: yes !== true }),
      ),
    );
}
