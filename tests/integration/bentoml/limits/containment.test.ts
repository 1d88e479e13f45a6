import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { availableIsolation } from "../../../../src/platform/containment/containment.ts";
import { ServedProcesses } from "../../../../src/mlops/bentoml/servers/served_process.ts";
import { tumour } from "../asked.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

type Attempts = Record<string, [what: string, argument: string | number]>;

const isolation = await availableIsolation();

/** Has the served model try each, and tells what came of it. */
async function attempt({ runDirectory }: Workshop, deploymentId: string, url: string, attempts: Attempts) {
  const folder = join(runDirectory, "homes", deploymentId, "tmp");
  await writeFile(join(folder, "attempts.json"), JSON.stringify(attempts));
  const answer = await fetch(`${url}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    signal: AbortSignal.timeout(600_000),
    body: JSON.stringify({ features: tumour }),
  });
  expect(answer.status).toBe(200);
  const came = await readFile(join(folder, "came.json"), "utf8");
  return z.record(z.string(), z.string()).parse(JSON.parse(came));
}

interface Places {
  router: string;
  reachable: number;
  secret: string;
  own: string;
  neighbourPid: number;
  neighbourPort: number;
}

/** By name; the first three are its own right. */
function attemptsOf(
  { runDirectory, home, tools }: Workshop,
  { router, reachable, secret, own, neighbourPid, neighbourPort }: Places,
): Attempts {
  return {
    "writes to its scratch folder": ["write", join(own, "work", "note")],
    "writes its prediction log's folder": ["write", join(runDirectory, "predictions", "dep_hostile", "more")],
    "reads its bento": ["read", join(home, "bentos", "e2i_breaking_out", "v1", "src")],
    "reads a password": ["read", secret],
    "reads root's folder": ["read", "/root"],
    "reads shadowed passwords": ["read", "/etc/shadow"],
    "lists the run folder": ["read", runDirectory],
    "reads a neighbour's folder": ["read", join(runDirectory, "homes", "dep_neighbour")],
    "reads a neighbour's predictions": ["read", join(runDirectory, "predictions", "dep_neighbour")],
    "writes a neighbour's record": ["write", join(runDirectory, "bento-dep_neighbour.pid")],
    "forges its own record": ["write", join(runDirectory, "bento-dep_hostile.pid")],
    "writes to its bento": ["write", join(home, "bentos", "e2i_breaking_out", "v1", "src", "service.json")],
    "writes to its environment": ["write", join(tools.python, "..", "activate")],
    "writes to the shared memory": ["write", "/dev/shm/left"],
    "reads a neighbour's environment": ["read", `/proc/${neighbourPid}/environ`],
    "reads a neighbour's command": ["read", `/proc/${neighbourPid}/cmdline`],
    "signals a neighbour": ["signal", neighbourPid],
    "signals the deployer": ["signal", process.pid],
    "asks the router's socket": ["ask_socket", router],
    "takes another port": ["listen", 18_431],
    "takes the neighbour's port": ["listen", neighbourPort],
    "connects to a service": ["connect", reachable],
    "sends a datagram": ["send_datagram", 53],
    "becomes root": ["become", 0],
    "opens a folder to all": ["chmod", own],
    "traces (ptrace)": ["call", process.arch === "x64" ? 101 : 117],
    mounts: ["call", process.arch === "x64" ? 165 : 40],
    "makes a ring (io_uring)": ["call", 425],
    "fills the disk by one file": ["fill", 5 * 1024 ** 3],
    "forks without end": ["bomb", 600],
    "has a token": ["environment", "MODEL_DEPLOYER_TOKEN"],
    "has the database's address": ["environment", "DATABASE_URL"],
  };
}

async function start(workshop: Workshop, deployment_id: string, bento_tag: string) {
  const signal = AbortSignal.timeout(400_000);
  const input = { deployment_id, bento_tag, resources };
  const { host, port, isolation } = await workshop.server.start(input, { signal });
  return { url: `http://${host}:${port}`, port, isolation };
}

describe.skipIf(isolation === "none")("a contained model", () => {
  let workshop: Workshop;
  let served: Awaited<ReturnType<typeof start>>;
  let neighbour: Awaited<ReturnType<typeof start>>;

  beforeAll(async () => {
    const containment = { isolation: "required", network: [] } as const;
    workshop = await openWorkshop({ predictionSeconds: 600, containment });
    const tag = await workshop.pack("breaking_out");
    served = await start(workshop, "dep_hostile", tag);
    neighbour = await start(workshop, "dep_neighbour", tag);
  }, 1_200_000);

  afterAll(async () => {
    await workshop.close();
  });

  it("answers, writes to its own folder and its own logs, and nothing else of the machine is open to it", async () => {
    const { runDirectory, directory } = workshop;
    const secret = join(directory, "password");
    await writeFile(secret, "secret", { mode: 0o600 });
    const router = join(directory, "admin.sock");
    const listening = createServer().listen(router);
    await once(listening, "listening");
    const elsewhere = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
    await once(elsewhere, "listening");
    const address = elsewhere.address();
    const reachable = typeof address === "object" && address !== null ? address.port : 0;
    onTestFinished(() => {
      listening.close();
      elsewhere.close();
    });
    const [neighbourPid = 0] = await workshop.processesOf("dep_neighbour");
    const own = join(runDirectory, "homes", "dep_hostile");
    const places = { router, reachable, secret, own, neighbourPid, neighbourPort: neighbour.port };
    const came = await attempt(workshop, "dep_hostile", served.url, attemptsOf(workshop, places));
    const done = Object.keys(came).filter((name) => came[name] === "done");
    expect(done).toEqual([
      "writes to its scratch folder",
      "writes its prediction log's folder",
      "reads its bento",
    ]);
    expect((await fetch(`${neighbour.url}/healthz`)).status).toBe(200);
  });

  it("that may connect anywhere is refused by the registry, whose password it does not have", async () => {
    vi.stubEnv("MLFLOW_TRACKING_PASSWORD", "of the registry");
    const reaching = workshop.withLimits({ containment: { isolation: "required", network: "any" } });
    onTestFinished(() => {
      vi.unstubAllEnvs();
      return reaching.close();
    });
    const input = { deployment_id: "dep_reaching", bento_tag: "e2i_breaking_out:v1", resources };
    const { host, port } = await reaching.start(input, { signal: AbortSignal.timeout(400_000) });
    const { mlflowUrl } = inject("mlflow");
    const came = await attempt(workshop, "dep_reaching", `http://${host}:${port}`, {
      "asks whether it lives": ["ask", `${mlflowUrl}/health`],
      "reads its experiments": ["ask", `${mlflowUrl}/api/2.0/mlflow/experiments/search?max_results=1`],
      "reads its artifacts": ["ask", `${mlflowUrl}/api/2.0/mlflow-artifacts/artifacts?path=`],
      "has its password": ["environment", "MLFLOW_TRACKING_PASSWORD"],
    });
    expect(came).toEqual({
      "asks whether it lives": "done",
      "reads its experiments": "PermissionError",
      "reads its artifacts": "PermissionError",
      "has its password": "KeyError",
    });
    await workshop.server.stop("dep_reaching", { signal: AbortSignal.timeout(600_000) });
  });

  it("is the only one that is put to use where isolation is required", async () => {
    const open = workshop.withLimits({ predictionSeconds: 600 });
    onTestFinished(() => open.close());
    const patience = () => ({ signal: AbortSignal.timeout(400_000) });
    const input = { deployment_id: "dep_open", bento_tag: "e2i_breaking_out:v1", resources };
    expect(await open.start(input, patience())).toMatchObject({ isolation: "none" });
    await expect(workshop.server.start(input, patience())).rejects.toMatchObject({ code: "configuration" });
    // What served callers before the requirement goes on, until one that is contained takes its place.
    const before = { ...input, served_before: true };
    expect(await workshop.server.start(before, patience())).toMatchObject({ isolation: "none" });
    const anew = await workshop.server.start({ ...before, beside: true }, patience());
    expect(anew).toMatchObject({ isolation: "landlock" });
    expect(await workshop.server.start(input, patience())).toEqual(anew);
    await workshop.server.stop("dep_open", patience());
    const old = await workshop.withoutRunner(await workshop.pack("breaking_out", "shipped_preprocessing"));
    const attempt = workshop.server.start({ ...input, bento_tag: old }, patience());
    await expect(attempt).rejects.toMatchObject({ code: "configuration" });
    expect(await workshop.processesOf("dep_open")).toEqual([]);
  });

  it("is told by its process, logs its predictions, and is stopped without remains", async () => {
    const processes = new ServedProcesses(workshop.runDirectory);
    expect(await processes.isolationOf("dep_neighbour")).toBe("landlock");
    expect(neighbour.isolation).toBe("landlock");
    const answer = await fetch(`${neighbour.url}/predict`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-request-id": "one" },
      body: JSON.stringify({ features: tumour }),
    });
    expect(answer.status).toBe(200);
    const [{ path } = { path: "" }] = await workshop.server.predictionLogFiles("dep_neighbour");
    const log = await readFile(path, "utf8");
    expect(log).toContain('"x_request_id":"one"');
    await workshop.server.stop("dep_neighbour", { signal: AbortSignal.timeout(600_000) });
    expect(await workshop.processesOf("dep_neighbour")).toEqual([]);
  });
});
