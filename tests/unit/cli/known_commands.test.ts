import { Command } from "@commander-js/extra-typings";
import { expect, test } from "vitest";
import type { Execute } from "../../../src/cli/invocation/execute.ts";
import { commandsFor, KNOWN_COMMANDS } from "../../../src/cli/known_commands.ts";

const execute: Execute = async () => undefined;

test.each(KNOWN_COMMANDS.map(({ words, load }) => [words.join(", "), words, load] as const))(
  "%s: the words that lead to a command are those that it answers to",
  async (_, words, load) => {
    const program = new Command();
    (await load())(program, execute);
    expect(program.commands.map((one) => one.name()).sort()).toEqual([...words].sort());
  },
);

test.each([
  [["status"], 1],
  [["--json", "--home", "status", "history", "x"], 1],
  [["--home=/tmp/x", "worker", "--idle", "5"], 1],
  [[], KNOWN_COMMANDS.length],
  [["--help"], KNOWN_COMMANDS.length],
  [["help", "status"], KNOWN_COMMANDS.length],
  [["statsu"], KNOWN_COMMANDS.length],
  [["complete", "--", "roll"], KNOWN_COMMANDS.length],
])("%j loads %i command's code", async (words, count) => {
  expect(await commandsFor(words)).toHaveLength(count);
});
