import { expect, test } from "vitest";
import { daysLeft } from "../../../src/keeping/disk_forecast.ts";
import { sizeOption, durationOption, sizeText } from "../../../src/keeping/kept_quantities.ts";

const at = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
const samples = (...sizes: number[]) =>
  sizes.map((bytes, hour) => ({ at: at(hour), bytes, free_bytes: 10 ** 9 }));

test("a home that grows by 1 MB an hour fills 240 MB in ten days", () => {
  expect(daysLeft(samples(10e6, 11e6, 12e6, 13e6), 240e6)).toBeCloseTo(10, 6);
});

test("a home that does not grow, or of which little is known, fills no disk", () => {
  expect(daysLeft(samples(5, 5, 5), 100)).toBeNull();
  expect(daysLeft(samples(9, 5, 1), 100)).toBeNull();
  expect(daysLeft(samples(9), 100)).toBeNull();
  expect(daysLeft([], 100)).toBeNull();
});

test("ages and sizes are read in their units, and what is none is refused with an example", () => {
  expect([durationOption("30d", "--x"), durationOption("1.5h", "--x"), sizeOption("20GB", "--x")]).toEqual([
    2_592_000, 5400, 20e9,
  ]);
  for (const wrong of ["", "30", "d", "-1d", "1e9d", "30 d", "9999w"]) {
    expect(() => durationOption(wrong, "--older-than")).toThrow(/--older-than .*as in 30d/);
  }
  for (const wrong of ["", "20", "GB", "-1GB", "1e999GB"]) {
    expect(() => sizeOption(wrong, "--keep-under")).toThrow(/as in 20GB/);
  }
  expect([sizeText(0), sizeText(1.25e9), sizeText(123e6)]).toEqual(["0.0 MB", "1.3 GB", "123 MB"]);
});
