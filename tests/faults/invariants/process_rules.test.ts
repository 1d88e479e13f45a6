import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { processViolationsOf } from "./process_rules.ts";

/** The database's state: the server of `wanted` runs, that of `ended` does not, and there is one endpoint. */
const sql = (text: string) =>
  Promise.resolve(
    text.includes("from ml_deployments")
      ? [
          { id: "wanted", routed: true, wanted: true },
          { id: "ended", routed: false, wanted: false },
        ]
      : [{ name: "e2i_remission" }],
  );

async function home(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "process-rules-"));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

async function running(args: string[], env: Record<string, string>): Promise<number | undefined> {
  const child = spawn(process.execPath, ["-e", "console.log(1); setInterval(() => 0, 1000)", ...args], {
    env: { PATH: process.env["PATH"], ...env },
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await once(child, "close");
  });
  await once(child.stdout, "data");
  return child.pid;
}

const server = (path: string, deployment: string, instance = "one") =>
  running([], {
    BENTOML_HOME: path,
    MODEL_DEPLOYER_DEPLOYMENT_ID: deployment,
    MODEL_DEPLOYER_INSTANCE: instance,
  });
const router = (path: string, endpoint: string) =>
  running(["--", "--config-path", join(path, "router", endpoint, "bootstrap.json")], {});
const violations = (path: string) => processViolationsOf({ home: path, sql }, { deadlineMs: 0 });

test("a wanted server with its workers and the router of an endpoint are accounted for", async () => {
  const path = await home();
  await Promise.all([server(path, "wanted"), server(path, "wanted"), router(path, "e2i_remission")]);
  expect(await violations(path)).toEqual([]);
});

test.each([
  ["the server of a deployment that has ended", (path: string) => server(path, "ended")],
  ["the server of a deployment that nobody made", (path: string) => server(path, "unheard_of")],
  ["the router of an endpoint that there is not", (path: string) => router(path, "e2i_other")],
  ["a build that its starter left behind", (path: string) => running([], { BENTOML_HOME: path })],
])("%s is an orphan", async (_what, start) => {
  const path = await home();
  const pid = await start(path);
  expect(await violations(path)).toEqual([expect.stringContaining(`but ${pid} is not`)]);
});

test("a server that was started twice is told", async () => {
  const path = await home();
  await Promise.all([server(path, "wanted", "one"), server(path, "wanted", "another")]);
  expect(await violations(path)).toEqual([expect.stringContaining("wanted has 2")]);
});
