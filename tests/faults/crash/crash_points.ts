import childProcess from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import pg from "pg";
import { Dispatcher } from "undici";

/**
 * Every moment right before and right after an I/O of this process, numbered from 1 in the order in which they come. At one
 * of them the process can be told to kill itself, as `kill -9` does: nothing runs any more, nothing is flushed.
 */
export class CrashPoints {
  /** `before <what>` and `after <what>`, in their order. */
  readonly passed: string[] = [];
  #crashAt: number | null = null;
  #counted: (what: string) => boolean = () => true;

  /** From now on points are counted anew, those of which `counted` says so. */
  begin(crashAt: number | null, counted: (what: string) => boolean): void {
    this.passed.length = 0;
    this.#crashAt = crashAt;
    this.#counted = counted;
  }

  #pass(point: string): void {
    this.passed.push(point);
    if (this.passed.length !== this.#crashAt) return;
    fs.writeSync(process.stdout.fd, `${point}\n`);
    process.kill(process.pid, "SIGKILL");
  }

  async around<T>(what: string, io: () => Promise<T>): Promise<T> {
    if (!this.#counted(what)) return io();
    this.#pass(`before ${what}`);
    try {
      return await io();
    } finally {
      this.#pass(`after ${what}`);
    }
  }

  aroundSync<T>(what: string, io: () => T): T {
    if (!this.#counted(what)) return io();
    this.#pass(`before ${what}`);
    try {
      return io();
    } finally {
      this.#pass(`after ${what}`);
    }
  }
}

type Method = (this: unknown, ...values: unknown[]) => unknown;

/** Puts another method in a method's place, which is given the one that it replaces. */
function replace(owner: object, name: string, by: (original: Method) => Method): void {
  const original: unknown = Reflect.get(owner, name);
  if (typeof original !== "function") throw new TypeError(`there is no method ${name}`);
  const call: Method = function (...values) {
    return Reflect.apply(original, this, values);
  };
  Reflect.set(owner, name, by(call));
}

/** Puts a point on either side of every statement that any connection of this process sends. */
export function watchStatements(points: CrashPoints): void {
  replace(pg.Client.prototype, "query", (send) => {
    return function (...values) {
      // Whoever passes a callback is the pool itself, which sends nothing that lasts.
      if (typeof values.at(-1) === "function") return Reflect.apply(send, this, values);
      return points.around(nameOf(values[0]), async () => Reflect.apply(send, this, values));
    };
  });
}

/** The beginning of a statement, on one line. */
function nameOf(statement: unknown): string {
  const text = typeof statement === "string" ? statement : JSON.stringify(statement);
  return `sql: ${text.replaceAll(/\s+/g, " ").trim().slice(0, 60)}`;
}

const CHANGES_OF_FILES = ["writeFile", "rename", "link", "unlink", "mkdir"] as const;

/** Puts a point on either side of every change of a file under `root`, and of every call over HTTP. */
export function watchFilesAndCalls(points: CrashPoints, root: string): void {
  const isUnder = (path: unknown): path is string => typeof path === "string" && path.startsWith(root);
  const nameFor = (change: string, path: string) => `file: ${change} ${path.slice(root.length + 1)}`;
  for (const change of CHANGES_OF_FILES) {
    replace(fs, `${change}Sync`, (original) => {
      return function (...values) {
        const [path] = values;
        const io = (): unknown => Reflect.apply(original, this, values);
        return isUnder(path) ? points.aroundSync(nameFor(change, path), io) : io();
      };
    });
    replace(fs.promises, change, (original) => {
      return function (...values) {
        const [path] = values;
        const io = async () => Reflect.apply(original, this, values);
        return isUnder(path) ? points.around(nameFor(change, path), io) : io();
      };
    });
  }
  syncBuiltinESMExports();
  replace(Dispatcher.prototype, "request", (original) => {
    return function (...values) {
      return points.around(`http: ${pathOf(values[0])}`, async () => Reflect.apply(original, this, values));
    };
  });
  replace(childProcess, "spawn", (original) => {
    return function (...values) {
      return points.aroundSync(`process: ${String(values[0]).split("/").at(-1)}`, () =>
        Reflect.apply(original, this, values),
      );
    };
  });
  syncBuiltinESMExports();
}

function pathOf(options: unknown): string {
  const path: unknown = typeof options === "object" && options !== null ? Reflect.get(options, "path") : null;
  return String(path).slice(0, 60);
}
