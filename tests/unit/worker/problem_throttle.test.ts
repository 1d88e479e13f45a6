import { expect, test } from "vitest";
import { ProblemThrottle } from "../../../src/worker/problem_throttle.ts";

const nothing = { problems: [], lasting: [], recovered: [] };
const inUse = (until: string) =>
  `op_7: e2i_remission is in use: host:12 holds it, at most until ${until}; try again later`;

test("a problem that comes at each round is told once, then counted and less often", () => {
  const told = new ProblemThrottle();
  expect(told.tell(["router: away"], 0).problems).toEqual(["router: away"]);
  const lines: string[] = [];
  for (let now = 250; now <= 3_600_000; now += 250) lines.push(...told.tell(["router: away"], now).problems);
  expect(lines.slice(0, 2)).toEqual(["router: away (40 more times)", "router: away (240 more times)"]);
  expect(lines.length).toBeLessThan(10);
});

test("sentences that differ in numbers and instants alone are the same problem; another one is told at once", () => {
  const told = new ProblemThrottle();
  told.tell([inUse("2026-01-01T00:00:00.123456Z")], 0);
  expect(told.tell([inUse("2026-01-01T00:00:09.5Z")], 250)).toEqual(nothing);
  expect(told.tell(["outbox: MLflow is away"], 500).problems).toEqual(["outbox: MLflow is away"]);
});

test("that a problem is gone is told once, and when it comes again it is new", () => {
  const told = new ProblemThrottle();
  told.tell(["router: away"], 0);
  told.tell(["router: away"], 1000);
  expect(told.tell([], 100_000)).toEqual(nothing);
  expect(told.tell([], 122_000).recovered).toEqual([
    "over, seen 2 times and no more for 2 minutes: router: away",
  ]);
  expect(told.tell([], 200_000)).toEqual(nothing);
  expect(told.tell(["router: away"], 200_001).problems).toEqual(["router: away"]);
});
