import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { expect, test } from "vitest";
import { wrapped } from "../../../src/cli/wrapped.ts";

test("a line that fits stays as it is, gaps and all", () => {
  expect(wrapped("  server    ● v2 ready   ", 80)).toBe("  server    ● v2 ready   ");
});

test("a long line goes on under the text that it continues, by words", () => {
  const line = "  verdict   pass: the candidate fails no more often than allowed, with numbers to show it";
  expect(wrapped(line, 50)).toBe(
    "  verdict   pass: the candidate fails no more\n            often than allowed, with numbers to\n            show it",
  );
  const dated = "  2026-11-24 09:01:22  promotion     remission v1 to staging by ana";
  expect(wrapped(dated, 60).split("\n")[1]).toBe(`${" ".repeat(37)}by ana`);
});

test("a difference goes on behind its sign, and a line without labels a little further in", () => {
  expect(wrapped("              - 90 % deploy_1, 10 % deploy_2", 36)).toBe(
    "              - 90 % deploy_1, 10 %\n                deploy_2",
  );
  expect(wrapped("Take it back from one to the other", 20)).toBe("Take it back from\n  one to the other");
});

test("colours do not count as width, and each line has its own", () => {
  const colours = pc.createColors(true);
  const text = wrapped(`  degraded  ${colours.yellow("one two three four five six seven")}`, 30);
  expect(stripVTControlCharacters(text)).toBe("  degraded  one two three four\n            five six seven");
});
