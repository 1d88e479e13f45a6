import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "../../invocation/execute.ts";
import { portNumber } from "../../number_options.ts";
import { LOOPBACK } from "../../../platform/loopback.ts";

export function addServe(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("serve")
    .description(
      "serve the API: what there is, actions, approvals and a stream of changes; until SIGTERM or Ctrl-C",
    )
    .option("--port <port>", "a free one where it is 0", portNumber, DEFAULT_PORT)
    .option(
      "--host <address>",
      "what to listen at; other machines reach it only where it is not 127.0.0.1",
      LOOPBACK,
    )
    .action((address) =>
      execute("serve", async (invocation) => {
        const { attending } = await import("./attending.ts");
        return attending(invocation, "serve", async ({ until }) => {
          const { serveAlone } = await import("./serve_run.ts");
          return serveAlone(invocation, address, until);
        });
      }),
    );
}

export const DEFAULT_PORT = 8300;
