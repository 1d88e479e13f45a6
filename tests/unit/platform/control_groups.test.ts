import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ControlGroups } from "../../../src/platform/processes/control_groups.ts";

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "control-groups-"));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const read = (...path: string[]) => readFile(join(parent, ...path), "utf8");
const limits = { cores: 0.5, memory_bytes: 4 * 1024 ** 3 };

test("a group gets the limits by the kernel's files, and others when they change", async () => {
  await writeFile(join(parent, "cgroup.controllers"), "cpuset cpu io memory pids\n");
  const groups = new ControlGroups({ parent, name: "home" });
  const processes = join(parent, "model-deployer-home", "bento-dep", "cgroup.procs");
  expect(await groups.limit("bento-dep", limits)).toEqual({ processes });
  expect(await read("model-deployer-home", "bento-dep", "memory.max")).toBe("4294967296");
  expect(await read("model-deployer-home", "bento-dep", "cpu.max")).toBe("50000 100000");
  expect(await read("cgroup.subtree_control")).toBe("+cpu +memory");
  await groups.limit("bento-dep", { ...limits, cores: 2 });
  expect(await read("model-deployer-home", "bento-dep", "cpu.max")).toBe("200000 100000");
});

test("processes that were ended for their memory are counted by the kernel's own figure", async () => {
  const group = join(parent, "model-deployer-home", "bento-dep");
  await mkdir(group, { recursive: true });
  await writeFile(
    join(group, "memory.events"),
    "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
  );
  const groups = new ControlGroups({ parent, name: "home" });
  expect(await groups.outOfMemory("bento-dep")).toBe(2);
  expect(await groups.outOfMemory("bento-other")).toBe(0);
});

test("how long the CPU limit held a server back is the kernel's own figure, and unknown where there is no limit", async () => {
  const group = join(parent, "model-deployer-home", "bento-dep");
  await mkdir(group, { recursive: true });
  const basic = "usage_usec 9000000\nuser_usec 8000000\nsystem_usec 1000000\n";
  const groups = new ControlGroups({ parent, name: "home" });
  await writeFile(join(group, "cpu.stat"), basic);
  expect(await groups.throttledSeconds("bento-dep")).toBeNull();
  await writeFile(
    join(group, "cpu.stat"),
    `${basic}nr_periods 90\nnr_throttled 60\nthrottled_usec 4500000\n`,
  );
  expect(await groups.throttledSeconds("bento-dep")).toBe(4.5);
  expect(await groups.throttledSeconds("bento-other")).toBeNull();
});

test.each<[string, () => Promise<void>, RegExp]>([
  ["no control groups", async () => {}, /has no control groups of version 2/],
  [
    "version 1",
    async () => {
      await mkdir(join(parent, "memory"));
      await writeFile(join(parent, "memory", "cgroup.procs"), "");
    },
    /are of version 1, and limits need version 2/,
  ],
  [
    "controllers that were not delegated",
    () => writeFile(join(parent, "cgroup.controllers"), "cpu pids\n"),
    /has no memory: name a delegated one as MODEL_DEPLOYER_CONTROL_GROUP/,
  ],
  [
    "a hierarchy that takes nothing",
    async () => {
      await writeFile(join(parent, "cgroup.controllers"), "cpu memory\n");
      await writeFile(join(parent, "model-deployer-home"), "");
    },
    /no control group can be made in .*EEXIST/,
  ],
])("%s: says why nothing is limited", async (_name, prepare, reason) => {
  await prepare();
  const limited = await new ControlGroups({ parent, name: "home" }).limit("bento-dep", limits);
  expect("reason" in limited ? limited.reason : "it is limited").toMatch(reason);
});
