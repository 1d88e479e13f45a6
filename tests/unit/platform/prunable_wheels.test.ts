import { link, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PrunableWheels } from "../../../src/platform/python/wheels/prunable_wheels.ts";

const FIRST = "0".repeat(20);
const SECOND = "1".repeat(20);
const THIRD = "2".repeat(20);

let place: string;
let folder: string;
let cache: string;
let store: PrunableWheels;

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), "model-deployer-wheels-"));
  folder = join(place, "home", "wheels");
  cache = join(place, "cache", "wheels");
  for (const one of [folder, cache]) await mkdir(one, { recursive: true });
  store = new PrunableWheels({ folder, cacheDirectory: join(place, "cache") });
});

afterEach(() => rm(place, { recursive: true }));

/** As `keep_wheels.py` leaves them: made in the cache, and linked into the home. */
async function kept(name: string, files: readonly string[], homes = [folder]): Promise<void> {
  const wheels = files.map((file) => ({ file, sha256: "a".repeat(64) }));
  const content = { [`${name}.json`]: JSON.stringify({ wheels }) };
  for (const file of files) content[file] = "x".repeat(1000);
  for (const [file, text] of Object.entries(content)) {
    if (!(await readdir(cache)).includes(file)) await writeFile(join(cache, file), text);
    for (const home of homes) {
      await mkdir(home, { recursive: true });
      if (!(await readdir(home)).includes(file)) await link(join(cache, file), join(home, file));
    }
  }
}

const filesIn = async (path: string) => (await readdir(path)).filter((name) => !name.startsWith(".")).sort();

test("the wheels of each lock are one thing with its size, and what is no list is nobody's", async () => {
  await kept(FIRST, ["numpy.whl", "pandas.whl"]);
  await writeFile(join(folder, "notes.json"), "{}");
  await writeFile(join(folder, `${SECOND}.json`), "half of a li");
  const items = await store.list();
  expect(items.map(({ kind, name, held }) => ({ kind, name, held }))).toEqual([
    { kind: "wheels", name: FIRST, held: null },
    { kind: "wheels", name: SECOND, held: null },
  ]);
  expect(items[0]?.bytes).toBeGreaterThanOrEqual(2000);
});

test("a wheel goes with the last list that names it, from the cache as well", async () => {
  await kept(FIRST, ["numpy.whl", "pandas.whl"]);
  await kept(SECOND, ["numpy.whl"]);
  await (await store.setAside(FIRST))?.discard();
  for (const one of [folder, cache]) expect(await filesIn(one)).toEqual([`${SECOND}.json`, "numpy.whl"]);
  await (await store.setAside(SECOND))?.discard();
  for (const one of [folder, cache]) expect(await filesIn(one)).toEqual([]);
  expect(await store.setAside(SECOND)).toBeNull();
});

test("what another home has stays in the cache", async () => {
  await kept(FIRST, ["numpy.whl"], [folder, join(place, "other", "wheels")]);
  await (await store.setAside(FIRST))?.discard();
  expect(await filesIn(folder)).toEqual([]);
  expect(await filesIn(cache)).toEqual([`${FIRST}.json`, "numpy.whl"]);
});

test("it comes back whole where a list has come meanwhile that names one of them, and after a killed prune", async () => {
  await kept(FIRST, ["numpy.whl", "pandas.whl"]);
  const before = await filesIn(folder);
  const aside = await store.setAside(FIRST);
  expect(await filesIn(folder)).toEqual([]);
  expect(await store.heldNow()).toBeNull();
  await writeFile(
    join(folder, `${THIRD}.json`),
    JSON.stringify({ wheels: [{ file: "numpy.whl", sha256: "a".repeat(64) }] }),
  );
  expect(await store.heldNow()).toBe(`the wheels ${THIRD} have one in common`);
  await aside?.restore();
  expect(await filesIn(folder)).toEqual([...before, `${THIRD}.json`].sort());
  await rm(join(folder, `${THIRD}.json`));
  await store.setAside(FIRST);
  await store.tidy();
  expect(await filesIn(folder)).toEqual(before);
});
