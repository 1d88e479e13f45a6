import { expect, test } from "vitest";
import { instantOf, microsOf, TestClock } from "../../../src/testing/clock.ts";

test("the clock stands still until it is turned, but no two readings are equal", () => {
  const clock = new TestClock("2026-01-02T03:04:05Z");
  expect(clock.now()).toBe("2026-01-02T03:04:05.000001Z");
  expect(clock.now()).toBe("2026-01-02T03:04:05.000002Z");
  clock.turn({ days: 1, hours: 2, minutes: 3, seconds: 4.5 });
  expect(clock.now()).toBe("2026-01-03T05:07:09.500003Z");
});

test("the clock is not turned back", () => {
  expect(() => {
    new TestClock().turn({ seconds: -1 });
  }).toThrow(/turn it forward/);
});

test.each([
  ["2026-01-02T03:04:05.678901Z", "2026-01-02T03:04:05.678901Z"],
  ["2026-01-02T03:04:05.100Z", "2026-01-02T03:04:05.1Z"],
  ["2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"],
])("%s is the instant %s", (written, read) => {
  expect(instantOf(microsOf(written))).toBe(read);
});

test.each(["yesterday-ish", "", "2026-01-02", "2026-13-02T03:04:05Z"])("%j is no instant", (text) => {
  expect(() => microsOf(text)).toThrow(/is no instant/);
});
