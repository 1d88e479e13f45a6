import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "../../invocation/execute.ts";
import { LOOPBACK } from "../../../platform/loopback.ts";
import { DEFAULT_PORT } from "./serve_command.ts";
import { IDLE, portNumber } from "../../number_options.ts";

export function addWorker(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("worker")
    .description(
      "take rollouts step by step, carry interrupted operations on, drain; until SIGTERM or Ctrl-C",
    )
    .option("--idle <milliseconds>", "between two rounds", IDLE, 250)
    .option("--serve", "serve the API too")
    .option("--port <port>", "of the API; a free one where it is 0", portNumber, DEFAULT_PORT)
    .option("--host <address>", "what the API listens at", LOOPBACK)
    .action(({ idle, serve, port, host }) =>
      execute("worker", async (invocation) => {
        const { attending } = await import("./attending.ts");
        return attending(invocation, "worker", async ({ until }) => {
          await invocation.beginHome();
          const { runWorker } = await import("./worker_run.ts");
          if (serve !== true) return runWorker(invocation, { idleMs: idle, until });
          const { servingBeside } = await import("./serve_run.ts");
          return runWorker(invocation, { idleMs: idle, until }, servingBeside(invocation, { host, port }));
        });
      }),
    );
}
