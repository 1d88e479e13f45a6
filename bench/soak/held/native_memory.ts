import { readFile } from "node:fs/promises";

const KIBIBYTES = 1024;

/** MiB that a process holds outside of V8's pages, by malloc: buffers up to 128 KiB, sockets, and what lies free between. */
export async function nativeMegabytes(pid: number): Promise<number> {
  const maps = await readFile(`/proc/${pid}/smaps`, "latin1").catch(() => "");
  const [, ofHeap = ""] = maps.split(/^.* \[heap\]$/m);
  return Number(/^Rss: +(\d+) kB$/m.exec(ofHeap)?.[1] ?? 0) / KIBIBYTES;
}
