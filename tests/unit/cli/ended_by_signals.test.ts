import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { endedBySignals } from "../../../src/cli/ended_by_signals.ts";

class Signalled extends EventEmitter {
  readonly stdout = new EventEmitter();
  readonly stderr = new EventEmitter();
  exit(code: number): never {
    return expect.fail(`it exited at once, with ${code}`);
  }
}

const failure = (code: string) => Object.assign(new TypeError(`write ${code}`), { code });

test.each(["SIGINT", "SIGTERM", "SIGHUP"])("%s ends what is under way in order", (signal) => {
  const given = new Signalled();
  const ended = endedBySignals(given);
  given.emit(signal);
  given.emit(signal);
  expect(ended.aborted).toBe(true);
});

test.each(["stdout", "stderr"] as const)("nobody reads %s any more: that ends it, too", (output) => {
  const given = new Signalled();
  const ended = endedBySignals(given);
  given[output].emit("error", failure("EPIPE"));
  expect(ended.aborted).toBe(true);
});

test.each(["ENOSPC", "EDQUOT"])("a log whose disk is full, %s, ends nothing", (code) => {
  const given = new Signalled();
  const ended = endedBySignals(given);
  given.stdout.emit("error", failure(code));
  expect(ended.aborted).toBe(false);
});
