import { median } from "../support/figures.ts";
import { printTable, say } from "../support/report.ts";
import type { Held, Reading } from "./readings.ts";

const LINES: [keyof Held, string][] = [
  ["workerMemory", "memory of the worker, MiB"],
  ["workerFiles", "open files of the worker"],
  ["routerMemory", "memory of the largest router, MiB"],
  ["routerFiles", "open files of a router"],
  ["servers", "servers"],
  ["serverMemory", "memory of all servers, MiB"],
  ["disk", "disk of the home, MiB"],
  ["database", "database, MiB"],
  ["rows", "rows"],
];
const SHOWN = 12;

/** Some of the readings, and of each quantity the median of its first third beside that of its last. */
export function printReadings(readings: readonly Reading[]): void {
  const every = Math.max(1, Math.ceil(readings.length / SHOWN));
  const shown = readings.filter((_, index) => (index + 1) % every === 0);
  const whole = (value: number) => String(Math.round(value));
  say();
  printTable(
    ["minute", ...shown.map(({ minutes }) => whole(minutes))],
    [
      ["releases", ...shown.map((one) => whole(one.releases))],
      ["requests", ...shown.map((one) => whole(one.sent))],
      ["lost", ...shown.map((one) => whole(one.lost))],
      ...LINES.map(([key, name]) => [name, ...shown.map((one) => whole(one[key]))]),
    ],
  );
  const third = Math.max(1, Math.floor(readings.length / 3));
  say();
  printTable(
    ["median of", "first third", "last third", "last / first"],
    LINES.map(([key, name]) => {
      const [first, last] = [readings.slice(0, third), readings.slice(-third)].map((part) =>
        median(part.map((one) => one[key])),
      );
      return [name, whole(first ?? NaN), whole(last ?? NaN), (last ?? NaN) / (first ?? NaN)];
    }),
  );
  const { sent = 0, lost = 0, releases = 0, minutes = 0 } = readings.at(-1) ?? {};
  say(`${sent} requests, ${lost} lost, ${releases} releases in ${minutes} minutes`);
}
