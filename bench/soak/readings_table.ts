import { printTable, say } from "../support/report.ts";
import { diskOf, figuresOf, rowsOf } from "./figures.ts";
import { CRITERION, DECIDING_MINUTES, judge, type Verdict } from "./flatness.ts";
import { countOf, type OpenFiles } from "./held/open_files.ts";
import type { Reading } from "./readings.ts";

const LINES: [string, (one: Reading) => number][] = [
  ["releases", (one) => one.releases],
  ["requests", (one) => one.sent],
  ["lost", (one) => one.lost],
  ["worker's memory, MiB", ({ worker }) => worker.memory],
  ["V8's room in it, MiB", ({ worker }) => worker.room],
  ["its heap after gc, MiB", ({ worker }) => worker.heap],
  ["its native memory, MiB", ({ worker }) => worker.native],
  ["its open files", ({ worker }) => countOf(worker.files)],
  ["most open files of it", ({ worker }) => countOf(worker.mostFiles)],
  ["largest router's memory, MiB", (one) => one.routerMemory],
  ["servers", (one) => one.servers],
  ["memory of all servers, MiB", (one) => one.serverMemory],
  ["disk of the home, MiB", diskOf],
  ["database, MiB", ({ database }) => database.database],
  ["rows", rowsOf],
];
const SHOWN = 12;
const whole = (value: number): string => String(Math.round(value));
/** Enough digits to compare by. */
const shown = (value: number): string => (Math.abs(value) < 100 ? value.toFixed(1) : whole(value));

/**
 * Some of the readings, the tables' rows at the first and the last one, and of each figure whether it was flat.
 * @returns whether all were; null after a run too short to tell
 */
export function printReadings(readings: readonly Reading[]): boolean | null {
  const every = Math.max(1, Math.ceil(readings.length / SHOWN));
  const some = readings.filter((_, index) => (index + 1) % every === 0);
  say();
  printTable(
    ["minute", ...some.map(({ minutes }) => whole(minutes))],
    LINES.map(([name, of]) => [name, ...some.map((one) => whole(of(one)))]),
  );
  printTables(readings);
  say(`\nmost open files of the worker: ${namesOf(mostFiles(readings))}\n`);
  const verdicts = judge(readings, figuresOf(readings));
  printVerdicts(verdicts);
  const { sent = 0, lost = 0, releases = 0, minutes = 0 } = readings.at(-1) ?? {};
  say(`\n${sent} requests, ${lost} lost, ${releases} releases in ${minutes} minutes`);
  if (minutes < DECIDING_MINUTES) {
    say(`${minutes} minutes decide nothing about what is flat: it takes ${DECIDING_MINUTES}`);
    return null;
  }
  const grown = verdicts.filter(({ isFlat }) => !isFlat).map(({ name }) => name);
  say(grown.length === 0 ? "all flat" : `not flat: ${grown.join("; ")}`);
  return grown.length === 0;
}

function printTables(readings: readonly Reading[]): void {
  const [begin, end] = [readings[0]?.database.tables ?? {}, readings.at(-1)?.database.tables ?? {}];
  const names = Object.keys(end).filter((name) => (end[name]?.rows ?? 0) + (begin[name]?.rows ?? 0) > 0);
  const cells = names.map((name) => {
    const [before, after] = [begin[name], end[name]];
    return [name, ...[before?.rows, after?.rows].map((rows) => whole(rows ?? 0)), shown(after?.size ?? 0)];
  });
  say();
  printTable(["rows by table", "begin", "end", "MiB"], cells);
}

function printVerdicts(verdicts: readonly Verdict[]): void {
  say(CRITERION);
  printTable(
    ["figure", "first half", "second half", "at most", "", ""],
    verdicts.map(({ name, grows, first, second, allowed, isFlat }) => [
      name,
      ...[first, second, allowed].map(shown),
      grows === "release" ? "a release" : "",
      isFlat ? "flat" : "NOT FLAT",
    ]),
  );
}

const mostFiles = (readings: readonly Reading[]): OpenFiles =>
  readings
    .map(({ worker }) => worker.mostFiles)
    .reduce((most, one) => (countOf(one) > countOf(most) ? one : most), {});

const namesOf = (files: OpenFiles): string =>
  Object.entries(files)
    .toSorted(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${count} ${kind}`)
    .join(", ");
