import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { controlRequest, CONTROLS } from "./action_request.ts";
import { applyRequest } from "./apply.ts";
import type { Execute } from "./program.ts";

/** `pause`, `resume` and `abort` act at once; what brings more traffic to a candidate asks first. */
const ASKING: readonly string[] = ["promote-now", "retry"];

export function addRolloutControls(program: CommandUnknownOpts, execute: Execute): void {
  for (const [name, description] of CONTROLS) {
    program
      .command(`${name} <target>`)
      .description(`${description}; the target is an endpoint or a rollout`)
      .requiredOption("--reason <text>", "why; kept in the history")
      .option("-y, --yes", "do not ask")
      .action((target, { reason, yes }) =>
        execute(name, (invocation) =>
          applyRequest(invocation, controlRequest(name, target, reason), {
            asks: ASKING.includes(name) && yes !== true,
          }),
        ),
      );
  }
}
