import { endFolder } from "./ended_folder.ts";

/**
 * Ends everything that runs under a folder and removes it once standard input ends: when the owner says so, or when it is
 * gone, however it was ended. Runs apart from its owner, so that no signal to that reaches it.
 */
const [folder = ""] = process.argv.slice(2);
for (const signal of ["SIGINT", "SIGHUP", "SIGTERM"]) process.on(signal, () => undefined);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once("close", resolve));
await endFolder(folder);
