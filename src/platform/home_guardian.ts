import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { stopHome } from "./stop_home.ts";

/**
 * Ends everything that runs under `HOME` and removes it once standard input ends: when the owner says so, or when it is
 * gone, however it was ended. Runs apart from its owner, so that no signal to that reaches it.
 */
const [home = ""] = process.argv.slice(2);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once("end", resolve));
await stopHome(home);
// What was being started when the owner was killed has its record by now.
await delay(500);
await stopHome(home);
await rm(home, { recursive: true, force: true, maxRetries: 5 });
