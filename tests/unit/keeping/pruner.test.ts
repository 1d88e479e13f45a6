import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { Pruner } from "../../../src/keeping/pruner.ts";
import type { NeededVersion, PrunableStore } from "../../../src/keeping/prunable_store.ts";
import { PrunableArtifacts } from "../../../src/mlops/mlflow/artifacts/prunable_artifacts.ts";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";

const OLD = "0".repeat(64);
const OLDER = "1".repeat(64);
const monthsAgo = new Date("2026-01-01T00:00:00Z");
const policy = { older_than_seconds: 60, keep_under_bytes: null };

async function givenArtifacts() {
  const directory = await mkdtemp(join(tmpdir(), "artifacts-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  for (const digest of [OLD, OLDER]) await makeArtifact(directory, digest);
  await mkdir(join(directory, "notes of somebody"));
  const needed: NeededVersion[] = [];
  const facts = { needed: async () => needed, now: async () => "2026-03-01T00:00:00.000Z" };
  const pruner = (store: PrunableStore = new PrunableArtifacts(directory), given = facts) =>
    new Pruner({ facts: given, stores: [store], rows: [], alone: (work) => work() });
  const there = async () => (await readdir(directory)).filter((name) => /^\d{64}$/.test(name)).sort();
  return { directory, needed, facts, pruner, there };
}

async function makeArtifact(directory: string, digest: string): Promise<void> {
  const folder = join(directory, digest);
  await mkdir(folder);
  await writeFile(join(folder, "MLmodel"), digest);
  await utimes(folder, monthsAgo, monthsAgo);
}

const versionOf = (digest: string): NeededVersion => ({
  ...{ model_version_id: "mv_1", bento_tag: "relapse:v1", digests: [digest], deployment_ids: [] },
  why: "is needed by operation op_1",
});

test("removes what is old and nobody needs, and nothing that is not its own", async () => {
  const { directory, needed, pruner, there } = await givenArtifacts();
  needed.push(versionOf(OLDER));
  const { removed } = await pruner().prune(policy);
  expect(removed.map(({ name }) => name)).toEqual([OLD]);
  expect(await there()).toEqual([OLDER]);
  expect((await readdir(directory)).sort()).toContain("notes of somebody");
});

test("puts back what an operation has begun to need after it was chosen", async () => {
  const { directory, needed, facts, pruner, there } = await givenArtifacts();
  let asked = 0;
  const late = {
    ...facts,
    needed: async () => {
      asked += 1;
      if (asked === 2) needed.push(versionOf(OLD));
      return [...needed];
    },
  };
  const { removed, spared } = await pruner(new PrunableArtifacts(directory), late).prune(policy);
  expect(spared).toEqual([{ kind: "artifacts", name: OLD, why: "is needed by operation op_1" }]);
  expect(removed.map(({ name }) => name)).toEqual([OLDER]);
  expect(await there()).toEqual([OLD]);
  expect(await readFile(join(directory, OLD, "MLmodel"), "utf8")).toBe(OLD);
});

test("removes nothing where the database cannot say what is needed", async () => {
  const { directory, facts, pruner, there } = await givenArtifacts();
  let asked = 0;
  const silent = {
    ...facts,
    needed: async () => {
      asked += 1;
      if (asked > 1) throw new ServiceUnavailableError("postgres", "Postgres did not answer");
      return [];
    },
  };
  await expect(pruner(new PrunableArtifacts(directory), silent).prune(policy)).rejects.toThrow(
    /did not answer/,
  );
  expect(await there()).toEqual([OLD, OLDER]);
});

test("killed at any instruction, each thing is whole in its place or gone, and the next prune ends it", async () => {
  // A kill is a point after which nothing that was to be done is done: each point of a whole prune in turn.
  for (let point = 1; ; point += 1) {
    const { directory, pruner, there } = await givenArtifacts();
    const wasKilled = await killedAt(
      point,
      (store) => pruner(store).prune(policy),
      new PrunableArtifacts(directory),
    );
    for (const digest of await there()) {
      expect(await readFile(join(directory, digest, "MLmodel"), "utf8"), `point ${point}`).toBe(digest);
    }
    const { removed } = await pruner().prune(policy);
    expect(removed.length, `point ${point}`).toBeLessThanOrEqual(2);
    expect(await there()).toEqual([]);
    expect(await readdir(join(directory, ".pruned"))).toEqual([]);
    if (!wasKilled) return;
  }
});

test("what a killed prune had set aside is back, unless it was made anew meanwhile", async () => {
  const { directory, pruner, there, needed } = await givenArtifacts();
  const store = new PrunableArtifacts(directory);
  expect(await store.setAside(OLD)).not.toBeNull();
  expect(await store.setAside(OLDER)).not.toBeNull();
  expect(await there()).toEqual([]);
  await makeArtifact(directory, OLD);
  await writeFile(join(directory, OLD, "new"), "new");
  needed.push(versionOf(OLD), versionOf(OLDER));
  await pruner().prune(policy);
  expect(await there()).toEqual([OLD, OLDER]);
  expect(await readFile(join(directory, OLD, "new"), "utf8")).toBe("new");
});

test("half of what was being discarded is never put back", async () => {
  const { directory, pruner, there } = await givenArtifacts();
  await new PrunableArtifacts(directory).setAside(OLD);
  const aside = join(directory, ".pruned");
  const [place = ""] = await readdir(aside);
  await rename(join(aside, place), join(aside, `${place}.gone`));
  await rm(join(aside, `${place}.gone`, `0-${OLD}`, "MLmodel"));
  await pruner().prune({ ...policy, older_than_seconds: 10 ** 9 });
  expect(await there()).toEqual([OLDER]);
  await expect(stat(join(aside, `${place}.gone`))).rejects.toThrow(/ENOENT/);
});

test("refuses while another prune or a backup is under way", async () => {
  const { facts, directory, there } = await givenArtifacts();
  const pruner = new Pruner({
    ...{ facts, stores: [new PrunableArtifacts(directory)], rows: [] },
    alone: async () => null,
  });
  await expect(pruner.prune(policy)).rejects.toMatchObject({ code: "conflict", retryable: true });
  expect(await there()).toEqual([OLD, OLDER]);
});

/** Runs work over a store whose calls stop at the given one, before or after it is carried out. */
async function killedAt(
  point: number,
  work: (store: PrunableStore) => Promise<unknown>,
  store: PrunableStore,
): Promise<boolean> {
  let calls = 0;
  const killed = new ServiceUnavailableError("test", "killed");
  const step = async <T>(act: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls === point) throw killed;
    const done = await act();
    calls += 1;
    if (calls === point) throw killed;
    return done;
  };
  const dying: PrunableStore = {
    kind: store.kind,
    list: () => step(() => store.list()),
    heldNow: (name) => step(() => store.heldNow(name)),
    tidy: () => step(() => store.tidy()),
    setAside: (name) =>
      step(async () => {
        const aside = await store.setAside(name);
        // A killed process puts nothing back.
        const dead = async () => undefined;
        return aside === null
          ? null
          : {
              restore: () => (calls >= point ? dead() : aside.restore()),
              discard: () => step(() => aside.discard()),
            };
      }),
  };
  return work(dying).then(
    () => false,
    (error: unknown) => {
      if (error !== killed) throw error;
      return true;
    },
  );
}
