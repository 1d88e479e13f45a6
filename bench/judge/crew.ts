import { Worker } from "node:worker_threads";
import type { Task, TaskRun } from "./tasks.ts";

/** Short-lived arrays are most of what is made. */
const YOUNG_MB = 64;
/** Runs that a thread does at once. */
const CHUNK = 25;

interface Waiting {
  task: Task;
  resolve: (runs: TaskRun[]) => void;
  reject: (error: unknown) => void;
}

/** Threads that share the runs of the tables among them. */
export class Crew {
  readonly #threads: Worker[];
  readonly #idle: Worker[];
  readonly #waiting: Waiting[] = [];

  constructor(size: number) {
    this.#threads = Array.from(
      { length: size },
      () =>
        new Worker(new URL("crew_member.ts", import.meta.url), {
          resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
        }),
    );
    this.#idle = [...this.#threads];
  }

  /** The runs in the order of the seeds. */
  async run(task: Task): Promise<TaskRun[]> {
    const chunks = Array.from({ length: Math.ceil(task.seeds.length / CHUNK) }, (_, chunk) =>
      this.#enqueue({ ...task, seeds: task.seeds.slice(chunk * CHUNK, (chunk + 1) * CHUNK) }),
    );
    return (await Promise.all(chunks)).flat();
  }

  async end(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
  }

  #enqueue(task: Task): Promise<TaskRun[]> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#goOn();
    });
  }

  #goOn(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idle.pop();
      if (thread === undefined) return;
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const done = (runs: TaskRun[]) => {
        thread.off("error", next.reject);
        this.#idle.push(thread);
        next.resolve(runs);
        this.#goOn();
      };
      thread.once("error", next.reject);
      thread.once("message", done);
      thread.postMessage(next.task);
    }
  }
}
