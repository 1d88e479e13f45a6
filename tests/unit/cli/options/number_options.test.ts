import { InvalidArgumentError } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import { plainNumber, numberBetween, wholeNumberBetween } from "../../../../src/cli/number_options.ts";
import { KNOWN_COMMANDS } from "../../../../src/cli/known_commands.ts";
import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";

const NONE = [
  "",
  " ",
  "NaN",
  "Infinity",
  "-Infinity",
  "1e999",
  "0x10",
  "1,5",
  "15s",
  "ten",
  "1 2",
  "1_000",
  "--",
];

test.each(NONE)("%j is no number", (text) => {
  expect(() => plainNumber(text)).toThrow(InvalidArgumentError);
});

test.each([
  ["0", 0],
  ["-1", -1],
  ["0.05", 0.05],
  ["1e3", 1000],
])("%j is the number %d", (text, number) => {
  expect(plainNumber(text)).toBe(number);
});

test("a number out of its range is refused with the range", () => {
  expect(() => numberBetween(0.1, 10)("0")).toThrow("from 0.1 to 10");
  expect(() => wholeNumberBetween(0, 65_535)("65536")).toThrow("from 0 to 65535");
  expect(() => wholeNumberBetween(1, 9)("1.5")).toThrow("a whole number");
  expect(wholeNumberBetween(1, 9)("9")).toBe(9);
});

function everyOption(command: CommandUnknownOpts): { flags: string; read: (text: string) => unknown }[] {
  const own = command.options.flatMap(({ flags, parseArg }) =>
    parseArg === undefined
      ? []
      : [{ flags: `${command.name()} ${flags}`, read: (text: string) => parseArg(text, undefined) }],
  );
  return [...own, ...command.commands.flatMap(everyOption)];
}

test("no option of any command takes nothing, or a number with a unit, for a number", async () => {
  const program = new Command();
  for (const { load } of KNOWN_COMMANDS) (await load())(program, async () => undefined);
  const options = everyOption(program);
  expect(options.length).toBeGreaterThan(30);
  const taken = options.flatMap(({ flags, read }) =>
    NONE.filter((text) => {
      try {
        return typeof read(text) === "number";
      } catch {
        return false;
      }
    }).map((text) => `${flags}: ${JSON.stringify(text)}`),
  );
  expect(taken).toEqual([]);
});
