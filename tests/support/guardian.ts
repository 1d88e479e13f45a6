import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { stopLocalServices } from "../../src/platform/local_services.ts";

/**
 * Ends the services of `HOME` and removes it once standard input ends: when the run says so, or when it is gone, however
 * it was ended. Runs apart from the run, so that no signal to that reaches it.
 */
const [home = ""] = process.argv.slice(2);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once("end", resolve));
await stopLocalServices(home);
// A service whose start was under way when the run was killed has its record by now.
await delay(500);
await stopLocalServices(home);
await rm(home, { recursive: true, force: true, maxRetries: 5 });
