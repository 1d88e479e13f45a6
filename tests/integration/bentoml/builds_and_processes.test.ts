import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProcess } from "../../../src/platform/processes/managed_process.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { processesWith } from "./processes.ts";
import { cacheDirectory, openWorkshop, resources, type Workshop } from "./workshop.ts";

let workshop: Workshop;
const patience = () => ({ signal: AbortSignal.timeout(300_000) });

beforeAll(async () => {
  workshop = await openWorkshop();
});

afterAll(async () => {
  await workshop.close();
});

const input = (bento_tag: string, model_path: string) => ({
  bento_tag,
  model_name: "m",
  version: 1,
  model_path,
  preprocessing_path: null,
  artifact_digest: "a".repeat(64),
});

async function listedByBentoml(): Promise<string> {
  const env = { BENTOML_HOME: workshop.home, BENTOML_DO_NOT_TRACK: "True" };
  return (await execa(workshop.tools.bentoml, ["list", "-o", "json"], { env, timeout: 600_000 })).stdout;
}

describe("building", () => {
  it("survives a build that was killed", async () => {
    const script = fileURLToPath(new URL("./package_once.ts", import.meta.url));
    const args = [
      script,
      workshop.home,
      workshop.tools.bentoml,
      "e2i_killed:v1",
      workshop.model("classifier"),
      cacheDirectory,
      workshop.tools.uv,
    ];
    const child = execa(process.execPath, args, { reject: false });
    const scratch = join(workshop.home, "scratch");
    // Wait until bentoml itself is at work in the scratch home, then kill only the one who started it.
    await pollUntil(
      async () => {
        const [name] = await readdir(scratch).catch(() => []);
        const built = name === undefined ? [] : await readdir(join(scratch, name, "home")).catch(() => []);
        return built.length > 0;
      },
      { what: "build under way", deadlineMs: 600_000, intervalMs: 5 },
    );
    child.kill("SIGKILL");
    await child;
    expect(await workshop.packager.findPackage("e2i_killed:v1")).toBeNull();

    const made = await workshop.packager.packageModel(
      input("e2i_killed:v1", workshop.model("classifier")),
      patience(),
    );
    expect(await workshop.packager.findPackage("e2i_killed:v1")).toEqual(made);
    expect(JSON.parse(await listedByBentoml())).toEqual([expect.objectContaining({ tag: "e2i_killed:v1" })]);
  });

  it("replaces half a bento that somebody's build left in the store", async () => {
    await mkdir(join(workshop.home, "bentos", "e2i_partial", "v1", "src"), { recursive: true });
    expect(await workshop.packager.findPackage("e2i_partial:v1")).toBeNull();
    const tag = input("e2i_partial:v1", workshop.model("classifier"));
    const made = await workshop.packager.packageModel(tag, patience());
    expect(await workshop.packager.findPackage("e2i_partial:v1")).toEqual(made);
  });

  it("notices that a file of the artifact was left out", async () => {
    const model = join(workshop.directory, "ignoring");
    await cp(workshop.model("classifier"), model, { recursive: true });
    await writeFile(join(model, ".bentoignore"), "*.skops\n");
    const attempt = workshop.packager.packageModel(input("e2i_ignoring:v1", model), patience());
    await expect(attempt).rejects.toThrow(/left model\.skops of the artifact out of e2i_ignoring:v1/);
    expect(await workshop.packager.findPackage("e2i_ignoring:v1")).toBeNull();
  });

  it("leaves no scratch behind", async () => {
    expect(await readdir(join(workshop.home, "scratch"))).toEqual([]);
  });
});

describe("processes", () => {
  const start = (deployment_id: string, bento_tag: string) =>
    workshop.server.start({ deployment_id, bento_tag, resources }, patience());
  const left = () => processesWith(`BENTOML_HOME=${workshop.directory}`);

  it("ends the orphans of a server whose parent was killed", async () => {
    await start("dep_orphans", await workshop.pack("classifier"));
    const parent = await findProcess(join(workshop.directory, "run"), "bento-dep_orphans");
    expect((await left()).length).toBeGreaterThan(1);
    process.kill(parent?.pid ?? 0, "SIGKILL");
    const isGone = async () => !(await left()).includes(parent?.pid ?? 0);
    await pollUntil(isGone, { what: "end of the parent", deadlineMs: 120_000 });
    expect(await left()).not.toEqual([]);
    expect(await workshop.server.list()).toEqual(["dep_orphans"]);
    await workshop.server.stop("dep_orphans", patience());
    expect(await left()).toEqual([]);
  });

  it("leaves no process of a model that cannot be loaded", async () => {
    const attempt = start("dep_unloadable", await workshop.pack("unloadable"));
    await expect(attempt).rejects.toThrow(/ModuleNotFoundError: No module named 'scorecard_rules'$/);
    expect(await left()).toEqual([]);
  });

  it("takes another port when its own was taken meanwhile", async () => {
    const tag = await workshop.pack("classifier");
    const first = await start("dep_port", tag);
    await workshop.killServer("dep_port");
    const squatter = await pollUntil(() => listenOn(first.port), { what: "free port", deadlineMs: 120_000 });
    try {
      const second = await start("dep_port", tag);
      expect(second.port).not.toBe(first.port);
      expect(await workshop.server.observe("dep_port", patience())).toMatchObject({
        state: "ready",
        port: second.port,
      });
    } finally {
      await squatter.close();
      await workshop.server.stop("dep_port", patience());
    }
    expect(await left()).toEqual([]);
  });
});

async function listenOn(port: number): Promise<{ close(): Promise<void> }> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "127.0.0.1", resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  };
}
