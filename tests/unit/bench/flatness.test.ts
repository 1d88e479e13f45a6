import { expect, test } from "vitest";
import { figuresOf } from "../../../bench/soak/figures.ts";
import { type Figure, judge } from "../../../bench/soak/flatness.ts";
import type { Reading } from "../../../bench/soak/readings.ts";

/** A reading at each of so many minutes, with a release in each. */
function readingsOf(
  minutes: number,
  of: (minute: number) => Partial<Record<"heap" | "rows" | "memory" | "room", number>>,
): Reading[] {
  return Array.from({ length: minutes }, (_, index) => {
    const { heap = 50, rows = 0, memory = 200, room = 10 } = of(index);
    const files = { files: { pipes: 9 }, mostFiles: { pipes: 9 } };
    return {
      ...{ minutes: index + 1, releases: index, sent: 6000 * index, lost: 0 },
      worker: { heap, room, external: 4, memory, native: 40, ...files },
      ...{ routerMemory: 30, routerFiles: 40, servers: 5, serverMemory: 550 },
      folders: { run: 3 },
      database: { database: 12, tables: { ml_unpaired_predictions: { rows, size: 1 } } },
    };
  });
}

const heap: Figure = { name: "heap", grows: "level", of: ({ worker }) => worker.heap, slack: 2 };
const rows = (grows: Figure["grows"]): Figure => ({
  name: "rows",
  grows,
  of: ({ database }) => database.tables["ml_unpaired_predictions"]?.rows ?? 0,
  slack: 20,
});
const isFlat = (readings: Reading[], figure: Figure) => judge(readings, [figure])[0]?.isFlat;

test("a level that rose while the run was young is flat, and one that goes on rising is not", () => {
  const early = readingsOf(60, (minute) => ({ heap: minute < 10 ? 20 + 3 * minute : 50 + (minute % 3) }));
  expect(isFlat(early, heap)).toBe(true);
  const leaking = readingsOf(60, (minute) => ({ heap: 50 + minute / 3 }));
  expect(isFlat(leaking, heap)).toBe(false);
});

test("rows of releases may come with each of them, and no more of later ones", () => {
  const steady = readingsOf(60, (minute) => ({ rows: 120 * minute }));
  expect(isFlat(steady, rows("release"))).toBe(true);
  expect(isFlat(steady, rows("level"))).toBe(false);
  const more = readingsOf(60, (minute) => ({ rows: 2 * minute ** 2 }));
  expect(isFlat(more, rows("release"))).toBe(false);
});

test("what goes to nothing is flat, and a table that nobody has named has to be", () => {
  const emptied = readingsOf(60, (minute) => ({ rows: minute < 35 ? 300 : 0 }));
  expect(isFlat(emptied, rows("level"))).toBe(true);
  expect(isFlat(emptied, rows("release"))).toBe(true);
  const grown = readingsOf(60, (minute) => ({ rows: 5000 * minute }));
  const notFlat = judge(grown, figuresOf(grown)).filter((one) => !one.isFlat);
  expect(notFlat.map(({ name }) => name)).toEqual(["ml_unpaired_predictions"]);
});

test("memory that V8 keeps for new objects is no growth, and what lies elsewhere is", () => {
  const notFlat = (readings: Reading[]) =>
    judge(readings, figuresOf(readings)).flatMap(({ name, isFlat: is }) => (is ? [] : [name]));
  expect(notFlat(readingsOf(60, (minute) => ({ memory: 200 + 2 * minute, room: 10 + 2 * minute })))).toEqual(
    [],
  );
  expect(notFlat(readingsOf(60, (minute) => ({ memory: 200 + 2 * minute })))).toEqual([
    "worker's memory but for V8's room, MiB",
  ]);
});
