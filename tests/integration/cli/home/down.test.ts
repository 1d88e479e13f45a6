import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { z } from "zod";
import { downReportSchema } from "../../../../src/service/machine/machine_schemas.ts";
import { endpointFolder } from "../../../../src/mlops/envoy/endpoint_folder.ts";
import { serviceRunDirectory } from "../../../../src/platform/services/local_service.ts";
import { startProcess } from "../../../../src/platform/processes/managed_process.ts";
import { runningParts, stopHome } from "../../../../src/platform/processes/homes/stop_home.ts";
import { program } from "../../../support/given/given_cli.ts";
import { onTerminal } from "../../../support/programs/on_terminal.ts";

const document = z.object({ data: downReportSchema });

/** Processes that bear the names of a service, a router and a server. */
async function givenARunningHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-down-"));
  onTestFinished(async () => {
    await stopHome(home);
    await rm(home, { recursive: true, force: true });
  });
  const begin = (name: string, runDirectory: string) =>
    startProcess({
      name,
      runDirectory,
      command: process.execPath,
      args: ["-e", "setInterval(() => undefined, 1000)"],
      env: {},
    });
  await begin("redis", serviceRunDirectory(home));
  await begin("envoy", endpointFolder(home, "e2i_remission", 15).run);
  await begin("bento-deploy_1", join(home, "run"));
  return home;
}

const namesIn = async (home: string) =>
  (await runningParts(home)).map(({ kind, name }) => `${kind} ${name}`).sort();
const down = async (home: string, ...words: string[]) =>
  program("postgresql://nobody@127.0.0.1:1/none", ["down", ...words], { MODEL_DEPLOYER_HOME: home });

test("down stops the home's services, and says what goes on and how it is stopped; --all stops that too", async () => {
  const home = await givenARunningHome();
  expect(await namesIn(home)).toEqual(["router e2i_remission", "server deploy_1", "service redis"]);

  const first = await down(home, "--json");
  expect(first).toMatchObject({ code: 0, err: "" });
  const { data } = document.parse(JSON.parse(first.out));
  expect(data).toMatchObject({ status: "stopped", home, stopped: [{ kind: "service", name: "redis" }] });
  expect(data.going_on.map(({ kind }) => kind).sort()).toEqual(["router", "server"]);
  expect(data.how).toContain("`down --all` stops them too");
  expect(await namesIn(home)).toEqual(["router e2i_remission", "server deploy_1"]);

  const again = await down(home);
  expect(again.code).toBe(0);
  expect(again.out).toContain(`Nothing runs in ${home} that this would stop`);
  expect(again.out).toMatch(/goes on {2}the router of e2i_remission, process \d+/);

  const all = await down(home, "--all");
  expect(all.out).toMatch(/stop {5}the server deploy_1, process \d+/);
  expect(await namesIn(home)).toEqual([]);
  expect(document.parse(JSON.parse((await down(home, "--json")).out)).data.status).toBe("nothing");
});

test("on a terminal down shows its plan and asks, and stops nothing where that is declined", async () => {
  const home = await givenARunningHome();
  const environment = { MODEL_DEPLOYER_HOME: home, MODEL_DEPLOYER_CACHE: inject("cacheDirectory") };
  const declined = await onTerminal(["down", "--all"], { environment, typed: [["[y/N]", "n\r"]] });
  expect(declined.code, declined.seen).toBe(3);
  expect(declined.seen).toMatch(/stop {5}Redis, process \d+/);
  expect(declined.seen).toContain("Nothing was changed.");
  expect(await namesIn(home)).toHaveLength(3);
  const agreed = await onTerminal(["down"], { environment, typed: [["[y/N]", "y\r"]] });
  expect(agreed.code, agreed.seen).toBe(0);
  expect(await namesIn(home)).toEqual(["router e2i_remission", "server deploy_1"]);
});

test("a command that has brought a service up says on leaving that it goes on, and how it is stopped; the next one does not", async () => {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-left-"));
  onTestFinished(async () => {
    await stopHome(home);
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  });
  const environment = { MODEL_DEPLOYER_HOME: home, DATABASE_URL: "" };
  const first = await program("", ["status"], environment);
  expect(first, first.err).toMatchObject({ code: 0, out: "no endpoint is open" });
  expect(first.err).toContain(`Postgres of this home goes on running; "model-deployer down" stops it.`);
  expect((await program("", ["status"], environment)).err).toBe("");
  const { out } = await down(home);
  expect(out).toMatch(/stop {5}Postgres, process \d+/);
  expect(await runningParts(home)).toEqual([]);
});
