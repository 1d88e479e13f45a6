import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { addJudgeFlags } from "../judge_options.ts";
import { controlRequest, CONTROLS, RETRY, retryRequest } from "./action_request.ts";
import { applyRequest } from "./apply.ts";
import type { Execute } from "../../invocation/execute.ts";

/** `pause`, `resume` and `abort` act at once; controls that give a candidate more traffic ask first. */
const ASKING: readonly string[] = ["promote-now"];

export function addRolloutControls(program: CommandUnknownOpts, execute: Execute): void {
  addRetry(program, execute);
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

function addRetry(program: CommandUnknownOpts, execute: Execute): void {
  const retry = program
    .command("retry <target>")
    .description(`${RETRY}; the target is an endpoint or a rollout`)
    .requiredOption("--reason <text>", "why; kept in the history");
  addJudgeFlags(retry);
  retry
    .option("-y, --yes", "do not ask")
    .action((target, options) =>
      execute("retry", (invocation) =>
        applyRequest(invocation, retryRequest(target, options), { asks: options.yes !== true }),
      ),
    );
}
