import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { updateRequest } from "./action_request.ts";
import { applyRequest } from "./apply.ts";
import type { Execute } from "../../invocation/execute.ts";
import { plainNumber } from "../../number_options.ts";

/** Shows its plan and asks where somebody can answer. */
export function addUpdate(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("update <deployment>")
    .description("change a deployment's servers, limits and autoscaling in place")
    .requiredOption("--reason <text>", "why; kept in the history")
    .option("--replicas <count>", "servers", plainNumber)
    .option("--cpu <limit>", 'of each server, such as "2"')
    .option("--memory <limit>", 'of each server, such as "4Gi"')
    .option("--autoscaling <min-max@percent>", "such as 1-5@70: bounds, and the CPU that is aimed at")
    .option("-y, --yes", "do not ask")
    .action((deployment, options) =>
      execute("update", (invocation) =>
        applyRequest(invocation, updateRequest(deployment, options), { asks: options.yes !== true }),
      ),
    );
}
