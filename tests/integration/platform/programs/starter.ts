import { startProcess } from "../../../../src/platform/processes/managed_process.ts";

/** Starts one process by the arguments `RUN_DIRECTORY NAME COMMAND [ARGUMENT...]` and prints its pid. */
const [runDirectory = "", name = "", command = "", ...args] = process.argv.slice(2);
const started = await startProcess({ name, runDirectory, command, args, env: {} });
process.stdout.write(`${started.pid}\n`);
