import { endGroup } from "./end_group.ts";

/** Ends a group of processes once standard input ends: when its owner says so, or is gone, however it was ended. */
const group = Number(process.argv[2]);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once("end", resolve));
await endGroup(group);
