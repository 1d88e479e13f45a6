import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BentoMLServer } from "../../../src/mlops/bentoml/server.ts";
import { ServerRecords } from "../../../src/mlops/bentoml/servers/server_record.ts";
import {
  childEnvironment,
  startProcess,
  stopProcess,
} from "../../../src/platform/processes/managed_process.ts";

const options = { signal: new AbortController().signal };
const HOUR = 3_600_000;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "model-deployer-slow-start-"));
  await startProcess({
    name: "bento-dep_slow",
    runDirectory: directory,
    command: process.execPath,
    args: ["-e", "setInterval(() => undefined, 1000)"],
    env: childEnvironment(),
  });
});

afterEach(async () => {
  await stopProcess(directory, "bento-dep_slow", { graceMs: 2_000 });
  await rm(directory, { recursive: true, force: true });
});

/** Looks at a server that does not answer yet, and that was started when the clock showed `startedAt`. */
async function observe(startedAt: number, startTimeoutMs: number) {
  await new ServerRecords(join(directory, "servers")).claim({
    deployment_id: "dep_slow",
    process: "dep_slow",
    bento_tag: "e2i_slow:v1",
    port: 1,
    started_at: new Date(startedAt).toISOString(),
  });
  const places = { home: directory, runDirectory: directory, cacheDirectory: directory, uv: "uv" };
  const server = new BentoMLServer({ ...places, startTimeoutMs });
  try {
    return await server.observe("dep_slow", options);
  } finally {
    await server.close();
  }
}

it.each([
  ["an hour behind", -HOUR],
  ["right", 0],
  ["an hour ahead", HOUR],
])(
  "takes a server that starts for one that starts, though the clock at its start was %s",
  async (_clock, by) => {
    expect(await observe(Date.now() + by, HOUR / 2)).toEqual({ state: "starting" });
  },
);

it.each([
  ["behind", -HOUR],
  ["ahead", HOUR],
])("finds a server that hangs, though the clock at its start was an hour %s", async (_clock, by) => {
  expect(await observe(Date.now() + by, 1)).toMatchObject({ state: "unresponsive" });
});
