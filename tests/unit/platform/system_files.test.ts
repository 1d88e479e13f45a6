import { mkdir, mkdtemp, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FILES_AT_ONCE, textOfSystemFile } from "../../../src/platform/processes/system_files.ts";
import { atMost } from "../../../src/platform/work/at_most.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-system-files-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test("a file is read whole, whatever its length, and one that is not there or cannot be read is null", async () => {
  const long = "x".repeat(100_000);
  await writeFile(join(folder, "long"), long);
  await mkdir(join(folder, "inner"));
  expect(await textOfSystemFile(join(folder, "long"))).toBe(long);
  expect(await textOfSystemFile(join(folder, "none"))).toBeNull();
  expect(await textOfSystemFile(join(folder, "inner"))).toBeNull();
});

test.skipIf(process.platform !== "linux")(
  "of however many files few are open at once, and none stays open",
  async () => {
    const names = Array.from({ length: 300 }, (_, index) => join(folder, String(index)));
    for (const name of names) await writeFile(name, name);
    const state = { isOver: false, most: 0 };
    const read = Promise.all(names.map((name) => textOfSystemFile(name))).finally(() => {
      state.isOver = true;
    });
    while (!state.isOver) state.most = Math.max(state.most, await openIn(folder));
    expect(await read).toEqual(names);
    expect(state.most).toBeGreaterThan(0);
    expect(state.most).toBeLessThanOrEqual(FILES_AT_ONCE);
    expect(await openIn(folder)).toBe(0);
  },
);

test("work that fails gives its place to whoever waits", async () => {
  const oneByOne = atMost(1);
  const done: number[] = [];
  const work = [1, 2, 3].map((number) =>
    oneByOne(() => {
      done.push(number);
      return number === 2 ? Promise.reject(new RangeError("two")) : Promise.resolve(number);
    }),
  );
  expect((await Promise.allSettled(work)).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  expect(done).toEqual([1, 2, 3]);
  expect(await oneByOne(() => Promise.resolve(4))).toBe(4);
});

async function openIn(path: string): Promise<number> {
  const open = await readdir("/proc/self/fd");
  const targets = await Promise.all(open.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
  return targets.filter((target) => target.startsWith(`${path}/`)).length;
}
