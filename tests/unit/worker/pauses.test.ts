import { expect, test } from "vitest";
import { Pauses } from "../../../src/worker/pauses.ts";

test("what fails is left alone for twice as long each time, for half a minute at most, and success forgets it", () => {
  let now = 0;
  const pauses = new Pauses(() => now);
  const lengths: number[] = [];
  for (let failure = 0; failure < 7; failure += 1) {
    pauses.failed("op_1");
    const began = now;
    while (!pauses.isOver("op_1")) now += 250;
    lengths.push(now - began);
  }
  expect(lengths).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(pauses.isOver("op_2")).toBe(true);
  pauses.failed("op_1");
  pauses.succeeded("op_1");
  expect(pauses.isOver("op_1")).toBe(true);
});
