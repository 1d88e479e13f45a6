import { expect, test } from "vitest";
import { RepeatedProblems } from "../../../src/worker/repeated_problems.ts";

test("a problem of each round is told once a minute, with how often it came", () => {
  const repeated = new RepeatedProblems();
  expect(repeated.worthALine(["a is away"], 0)).toEqual(["a is away"]);
  for (let now = 250; now < 60_000; now += 250) expect(repeated.worthALine(["a is away"], now)).toEqual([]);
  expect(repeated.worthALine(["a is away"], 60_000)).toEqual(["a is away (240 times more)"]);
});

test("another problem is told at once", () => {
  const repeated = new RepeatedProblems();
  repeated.worthALine(["a is away"], 0);
  expect(repeated.worthALine(["a is away", "b is away"], 1)).toEqual(["b is away"]);
});

test("a problem that was gone for long is new when it comes again", () => {
  const repeated = new RepeatedProblems();
  repeated.worthALine(["a is away"], 0);
  repeated.worthALine(["a is away"], 1);
  repeated.worthALine([], 500_000);
  expect(repeated.worthALine(["a is away"], 500_001)).toEqual(["a is away"]);
});
