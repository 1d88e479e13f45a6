import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { Terminal } from "../../../../src/cli/output/terminal/terminal.ts";

function written(lines: string[], { json }: { json: boolean }): string {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const terminal = new Terminal(streams, { json });
  terminal.out(lines);
  terminal.err(() => lines);
  return `${String(streams.stdout.read())}${String(streams.stderr.read())}`;
}

it("what an older row holds reaches the terminal as text, and our own colours as colours", () => {
  const out = written(["\u001b[32mby\u001b[39m eve\u001b[2J\u009b1A\r\u202eevil \u001b[8mhidden"], {
    json: false,
  });
  expect(out.split("\n")[0]).toBe(
    "\u001b[32mby\u001b[39m eve\\u001b[2J\\u009b1A\\u000d\\u202eevil \\u001b[8mhidden",
  );
});

it("as JSON it is the same value, without a character that a terminal obeys", () => {
  const value = { reason: "a\u009b2J\u202eb" };
  const [line = ""] = written([JSON.stringify(value)], { json: true }).split("\n");
  expect(line).not.toMatch(/[\u0080-\u009f\u202e]/);
  expect(JSON.parse(line)).toEqual(value);
});

it("a terminal that says that it has no columns is not taken at its word", () => {
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 0 });
  const streams = { stdin: new PassThrough(), stdout, stderr: new PassThrough() };
  const terminal = new Terminal(streams, { json: false });
  terminal.out(["a line of several words"]);
  expect(String(stdout.read())).toBe("a line of several words\n");
  expect(terminal.columns).toBe(Infinity);
});
