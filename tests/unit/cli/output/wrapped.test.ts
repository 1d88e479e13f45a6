import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { expect, test } from "vitest";
import { wrapped } from "../../../../src/cli/output/terminal/wrapped.ts";

test("a line that fits stays as it is, gaps and all", () => {
  expect(wrapped("  server    ● v2 ready   ", 80)).toBe("  server    ● v2 ready   ");
});

test("a long line goes on under the text that it continues, by words", () => {
  const line = "  verdict   pass: the candidate fails no more often than allowed, with numbers to show it";
  expect(wrapped(line, 60)).toBe(
    "  verdict   pass: the candidate fails no more often than\n            allowed, with numbers to show it",
  );
  const dated = `  2026-11-24 09:01:22  promotion     remission v1 to staging by ana: ${"so that ".repeat(5)}end`;
  expect(wrapped(dated, 80).split("\n")[1]).toBe(`${" ".repeat(37)}that so that so that so that end`);
});

test("a difference goes on behind its sign, and a line without labels a little further in", () => {
  expect(wrapped("              - 90 % of the traffic to deploy_1, and 10 % to deploy_2", 58)).toBe(
    "              - 90 % of the traffic to deploy_1, and 10 %\n                to deploy_2",
  );
  expect(wrapped("Take it back from one to the other", 20)).toBe("Take it back from\n  one to the other");
});

test("where an id no longer fits beside the labels a line goes on below them, and a longer word by its letters", () => {
  const line = "  2026-11-24 09:01:22  promotion     remission v1 to staging by ana: it is time";
  expect(wrapped(line, 40)).toBe(
    "  2026-11-24 09:01:22  promotion\n    remission v1 to staging by ana: it\n    is time",
  );
  expect(wrapped(`  address   ${"x".repeat(50)}`, 40)).toBe(
    `  address\n    ${"x".repeat(36)}\n    ${"x".repeat(14)}`,
  );
});

test("colours do not count as width, and each line has its own", () => {
  const colours = pc.createColors(true);
  const numbers = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";
  expect(stripVTControlCharacters(wrapped(`  degraded  ${colours.yellow(numbers)}`, 55))).toBe(
    [
      "  degraded  one two three four five six seven eight ",
      "            nine ten eleven twelve thirteen fourteen",
      "            fifteen",
    ].join("\n"),
  );
});
