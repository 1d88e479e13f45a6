import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { endpointFolder } from "../../../../src/mlops/envoy/endpoint_folder.ts";
import { lastServed } from "../../../../src/mlops/envoy/last_routes.ts";
import { toRouteFile } from "../../../../src/mlops/envoy/route_config.ts";
import { readBootIdentity, readProcess } from "../../../../src/platform/processes/process_table.ts";

async function givenHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "routes-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  return home;
}

async function givenRoute(home: string, name: string, content: string): Promise<void> {
  const { root, routes } = endpointFolder(home, name);
  await mkdir(root, { recursive: true });
  await writeFile(routes, content);
}

const route = (weights: Record<string, number>, mirror: string | null = null) =>
  toRouteFile({ endpoint_name: "x", generation: 3, weights, mirror_deployment_id: mirror }, 30);

/** This very process stands for the router. */
async function givenRunningRouter(home: string, name: string): Promise<void> {
  const { run } = endpointFolder(home, name);
  const own = await readProcess(process.pid);
  const record = {
    pid: process.pid,
    start_time: own?.start_time ?? "",
    instance: "i",
    boot: await readBootIdentity(),
  };
  await mkdir(run, { recursive: true });
  await writeFile(join(run, "envoy.pid"), JSON.stringify(record));
}

test("names those that had traffic, once each, and neither a shadow nor what has no share", async () => {
  const home = await givenHome();
  await givenRoute(home, "one", route({ a: 90, b: 10 }, "shadow"));
  await givenRoute(home, "two", route({ a: 100, c: 0 }));
  await givenRoute(home, "three", route({}));
  expect((await lastServed(home)).sort()).toEqual(["a", "b"]);
});

test.each(["", "{", "null", "[]", `{"resources":[]}`, `{"resources":[{"virtual_hosts":[{"routes":[]}]}]}`])(
  "a route that was cut off as %j names nobody, and hides no other",
  async (content) => {
    const home = await givenHome();
    await givenRoute(home, "cut", content);
    await givenRoute(home, "whole", route({ a: 100 }));
    expect(await lastServed(home)).toEqual(["a"]);
  },
);

test("names nobody where a router of the home runs, for then its servers are looked after", async () => {
  const home = await givenHome();
  await givenRoute(home, "one", route({ a: 100 }));
  await givenRoute(home, "two", route({ b: 100 }));
  await givenRunningRouter(home, "two");
  expect(await lastServed(home)).toEqual([]);
});

test("names nobody in a home that never had a router", async () => {
  expect(await lastServed(await givenHome())).toEqual([]);
});
