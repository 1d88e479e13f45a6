import { readFile } from "node:fs/promises";
import { z } from "zod";
import { pollUntil } from "../../../src/testing/poll.ts";
import { MEBIBYTE } from "../../support/figures.ts";

const DEADLINE_MS = 120_000;
const usage = z.looseObject({ heapTotal: z.number(), heapUsed: z.number(), external: z.number() });
const toldSchema = z.strictObject({ number: z.int(), before: usage, after: usage });

/** MiB. */
export interface Heap {
  /** What the process still holds when its garbage is gone. */
  heap: number;
  /** Pages of V8's beyond that: garbage, and room that it keeps for new objects once a burst has needed it. */
  room: number;
  /** Buffers and what else lies beside the heap. */
  external: number;
}

/** Asks a process that has loaded `told_heap.ts`. */
export class WorkerHeap {
  readonly #pid: number;
  readonly #file: string;
  #asked = 0;

  constructor(pid: number, file: string) {
    this.#pid = pid;
    this.#file = file;
  }

  async read(): Promise<Heap> {
    this.#asked += 1;
    process.kill(this.#pid, "SIGUSR2");
    const told = await pollUntil(() => this.#told(), {
      deadlineMs: DEADLINE_MS,
      intervalMs: 50,
      what: "its heap",
    });
    const { before, after } = told;
    return {
      heap: after.heapUsed / MEBIBYTE,
      room: (before.heapTotal - after.heapUsed) / MEBIBYTE,
      external: after.external / MEBIBYTE,
    };
  }

  async #told() {
    const text = await readFile(this.#file, "utf8").catch(() => null);
    if (text === null) return null;
    const told = toldSchema.parse(JSON.parse(text));
    return told.number >= this.#asked ? told : null;
  }
}
