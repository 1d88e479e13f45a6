import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** In MB, after a full collection, so that what is left is what is held. */
export interface HeldMemory {
  heapMb: number;
  rssMb: number;
}

setFlagsFromString("--expose-gc");
const collect: unknown = runInNewContext("gc");

export function heldMemory(): HeldMemory {
  if (typeof collect === "function") Reflect.apply(collect, undefined, []);
  const { heapUsed, rss } = process.memoryUsage();
  return { heapMb: heapUsed / 1024 ** 2, rssMb: rss / 1024 ** 2 };
}
