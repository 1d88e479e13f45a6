import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { LOOPBACK } from "../../../platform/loopback.ts";
import { DEFAULT_PORT } from "../services/serve_command.ts";
import type { Execute } from "../../invocation/execute.ts";
import { IDLE, portNumber } from "../../number_options.ts";

export function addUp(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("up")
    .description("start all that this machine needs and tell every address; Ctrl-C ends it in order")
    .option("--idle <milliseconds>", "between two rounds of the worker", IDLE, 250)
    .option("--port <port>", "of the console and the API; a free one where it is 0", portNumber, DEFAULT_PORT)
    .option("--host <address>", "what they listen at", LOOPBACK)
    .action(({ idle, port, host }) =>
      execute("up", async (invocation) => {
        const { attending } = await import("../services/attending.ts");
        return attending(invocation, "up", async (served) => {
          await invocation.beginHome();
          const { runUp } = await import("./up_run.ts");
          return runUp(invocation, { idleMs: idle, at: { host, port }, served });
        });
      }),
    );
}
