import { expect, test } from "vitest";
import { leftOf } from "../../../../src/mlops/bentoml/servers/awaited_start.ts";

test.each([
  ["one that has just been started has its whole limit", 90_000, 0, 90_000],
  ["one whose start was cut off goes on from there", 90_000, 60_000, 30_000],
  ["one that runs since long has as long as an answer may take", 90_000, 3_600_000, 10_000],
  ["a limit below that stands", 5_000, 3_600_000, 5_000],
  ["one whose age is not known has its whole limit", 90_000, null, 90_000],
])("%s", (_what, limit, age, left) => {
  expect(leftOf(limit, age)).toBe(left);
});
