import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

/** A folder with the kernel's files: what is written there can be read, and limits nobody. */
let groups: string;
let workshop: Workshop;
const signal = () => AbortSignal.timeout(300_000);

beforeAll(async () => {
  groups = await mkdtemp(join(tmpdir(), "control-groups-"));
  await writeFile(join(groups, "cgroup.controllers"), "cpu memory pids\n");
  workshop = await openWorkshop({}, groups);
}, 900_000);

afterAll(async () => {
  await workshop.close();
  await rm(groups, { recursive: true, force: true });
});

test(
  "a server enters its group before it starts anything, and is measured",
  { timeout: 300_000 },
  async () => {
    const { server } = workshop;
    const bento_tag = await workshop.pack("classifier");
    const started = { deployment_id: "dep_limited", bento_tag, resources };
    await server.start(started, { signal: signal() });
    const [used] = await server.usage("dep_limited", { signal: signal() });
    expect(used?.memory_bytes).toBeGreaterThan(30 * 1024 ** 2);
    expect(used?.memory_bytes).toBeLessThan(1024 ** 3);
    expect(used?.cpu_seconds).toBeGreaterThan(0.1);
    expect(used).toMatchObject({ replica: 1, out_of_memory: 0 });
    const [own = ""] = (await workshop.processesOf("dep_limited")).map(String);
    const group = await findGroup("bento-dep_limited");
    expect((await readFile(join(group, "cgroup.procs"), "utf8")).split("\n")).toContain(own);
    expect(await readFile(join(group, "memory.max"), "utf8")).toBe(String(1024 ** 3));

    const more = { ...started, resources: { ...resources, memory_limit: "2Gi", cpu_limit: "500m" } };
    await server.start(more, { signal: signal() });
    expect(await readFile(join(group, "memory.max"), "utf8")).toBe(String(2 * 1024 ** 3));
    expect(await readFile(join(group, "cpu.max"), "utf8")).toBe("50000 100000");
    expect(await server.limits("dep_limited", { signal: signal() })).toEqual({ enforced: true });
  },
);

async function findGroup(name: string): Promise<string> {
  const [home = ""] = (await readdir(groups)).filter((entry) => entry.startsWith("model-deployer-"));
  return join(groups, home, name);
}
