import { writeSync } from "node:fs";
import pg from "pg";

/**
 * Every moment right before and right after an I/O of this process, numbered from 1 in the order in which they come. At one
 * of them the process can be told to kill itself, as `kill -9` does: nothing runs any more, nothing is flushed.
 */
export class CrashPoints {
  /** `before <what>` and `after <what>`, in their order. */
  readonly passed: string[] = [];
  #crashAt: number | null = null;

  /** From now on points are counted anew. */
  begin(crashAt: number | null): void {
    this.passed.length = 0;
    this.#crashAt = crashAt;
  }

  pass(point: string): void {
    this.passed.push(point);
    if (this.passed.length !== this.#crashAt) return;
    writeSync(process.stdout.fd, `${point}\n`);
    process.kill(process.pid, "SIGKILL");
  }

  async around<T>(what: string, io: () => Promise<T>): Promise<T> {
    this.pass(`before ${what}`);
    try {
      return await io();
    } finally {
      this.pass(`after ${what}`);
    }
  }
}

/** Puts a point on either side of every statement that any connection of this process sends. */
export function watchStatements(points: CrashPoints): void {
  const prototype: object = pg.Client.prototype;
  const send: unknown = Reflect.get(prototype, "query");
  if (typeof send !== "function") throw new TypeError("pg.Client has no method query");
  Reflect.set(prototype, "query", function (this: unknown, ...values: unknown[]): unknown {
    const sent = (): unknown => Reflect.apply(send, this, values);
    // Whoever passes a callback is the pool itself, which sends nothing that lasts.
    if (typeof values.at(-1) === "function") return sent();
    return points.around(nameOf(values[0]), async () => sent());
  });
}

/** The beginning of a statement, on one line. */
function nameOf(statement: unknown): string {
  const text = typeof statement === "string" ? statement : JSON.stringify(statement);
  return `sql: ${text.replaceAll(/\s+/g, " ").trim().slice(0, 60)}`;
}
