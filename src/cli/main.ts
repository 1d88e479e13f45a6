#!/usr/bin/env node
import { keepCompiled } from "./compiled.ts";
import { nodeProblem } from "./required_node.ts";

const problem = nodeProblem(process.versions.node);
if (problem !== null) {
  process.stderr.write(`${problem}\n`);
  process.exit(2);
}
// As root, Postgres and models run as users of their own, who read what root writes; what is secret has its own mode.
if (process.getuid?.() === 0) process.umask(0o022);
keepCompiled(process.env);
// Imported from here on, for what is imported above is compiled before.
const [{ whenStarterEnds }, { withDotenv }, { endedBySignals }, { runCli }] = await Promise.all([
  import("../platform/processes/starter.ts"),
  import("./dotenv.ts"),
  import("./ended_by_signals.ts"),
  import("./program.ts"),
]);
const code = await runCli(process.argv.slice(2), {
  streams: process,
  environment: withDotenv(process.env, process.cwd()),
  // A command on a terminal ends with its shell; a worker in the background outlives the shell that started it.
  signal: endedBySignals(process, process.stdout.isTTY ? whenStarterEnds : undefined),
  // Loaded where a command needs them: they are most of the program.
  openDeployer: async (...given) =>
    (await import("../wiring/connect_model_deployer.ts")).connectModelDeployer(...given),
  beginHome: async (...given) => (await import("../wiring/home/begun_home.ts")).beginHome(...given),
  openObserver: async (...given) => (await import("../wiring/observer.ts")).openObserver(...given),
});
process.exit(code);
