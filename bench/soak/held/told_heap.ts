import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setFlagsFromString, writeHeapSnapshot } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Loaded before all else into a process whose heap is to be known: on SIGUSR2 it collects all its garbage and tells what is
 * left in SOAK_HEAP_FILE, and with SOAK_SNAPSHOTS in a heap snapshot in that folder, too.
 */
const { SOAK_HEAP_FILE: file, SOAK_SNAPSHOTS: snapshots } = process.env;
setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");
let asked = 0;

if (file !== undefined) {
  process.on("SIGUSR2", () => {
    asked += 1;
    void tell(file, asked);
  });
}

async function tell(target: string, number: number): Promise<void> {
  const before = process.memoryUsage();
  if (typeof collect === "function") Reflect.apply(collect, undefined, []);
  const after = process.memoryUsage();
  if (snapshots !== undefined) writeHeapSnapshot(join(snapshots, `${number}.heapsnapshot`));
  await writeFile(`${target}.part`, JSON.stringify({ number, before, after }));
  await rename(`${target}.part`, target);
}
