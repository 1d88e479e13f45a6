import { mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { endpointFolder } from "../../../src/mlops/envoy/endpoint_folder.ts";
import { toRouteFile } from "../../../src/mlops/envoy/route_config.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { type BegunHome, beginHome } from "../../../src/wiring/home/begun_home.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { anEndpoint } from "../../support/given/given_facts.ts";
import { cacheDirectory, openWorkshop, resources, type Workshop } from "./workshop.ts";

const ID = "woken";
const patience = () => ({ signal: AbortSignal.timeout(300_000) });
let workshop: Workshop;
let bento_tag: string;

beforeAll(async () => {
  workshop = await openWorkshop();
  bento_tag = await workshop.pack("classifier");
  // Where a home has its bentos.
  await symlink(workshop.home, join(workshop.directory, "bentoml"));
});

afterAll(async () => {
  await workshop.close();
});

let port: number;
beforeEach(async () => {
  await workshop.server.stop(ID, patience());
  ({ port } = await workshop.server.start({ deployment_id: ID, bento_tag, resources }, patience()));
});

const isReady = async () => (await workshop.server.observe(ID, patience())).state === "ready";
const becomesReady = () => pollUntil(isReady, { deadlineMs: 300_000, what: "an answer of the woken server" });

it("starts a recorded server that has ended at its own port, and one that runs not again", async () => {
  expect(await workshop.server.wake(ID, patience())).toBe(false);
  await workshop.killServer(ID);
  expect(await workshop.server.wake(ID, patience())).toBe(true);
  await becomesReady();
  expect(await workshop.server.observe(ID, patience())).toMatchObject({ port });
});

it("starts nothing without the limits that it had, and nothing that was stopped or never there", async () => {
  await workshop.killServer(ID);
  await rm(join(workshop.runDirectory, "limits", `bento-${ID}.json`));
  expect(await workshop.server.wake(ID, patience())).toBe(false);
  await workshop.server.stop(ID, patience());
  expect(await workshop.server.wake(ID, patience())).toBe(false);
  expect(await workshop.server.wake("nobody", patience())).toBe(false);
});

/** The home after the machine's restart: its last route leads to the server, which has ended with everything else. */
async function givenRestart(): Promise<BegunHome> {
  const { root, routes } = endpointFolder(workshop.directory, "churn");
  const route = { endpoint_name: "churn", generation: 3, weights: { [ID]: 100 }, mirror_deployment_id: null };
  await mkdir(root, { recursive: true });
  await writeFile(routes, toRouteFile(route, 30));
  await workshop.killServer(ID);
  const elsewhere = "127.0.0.1:1";
  const configuration = readConfiguration({
    MODEL_DEPLOYER_HOME: workshop.directory,
    MODEL_DEPLOYER_CACHE: cacheDirectory,
    DATABASE_URL: `postgres://u@${elsewhere}/d`,
    REDIS_URL: `redis://${elsewhere}`,
    MLFLOW_TRACKING_URI: `http://${elsewhere}`,
  });
  const begun = beginHome(configuration, { onProgress: () => undefined, onBegun: () => undefined });
  await begun.awake;
  // A process is known by its environment, which cannot be read in the moment in which it becomes another program.
  await pollUntil(async () => (await workshop.processesOf(ID)).length > 0, {
    deadlineMs: 300_000,
    what: "its process",
  });
  return begun;
}

const routed = (weights: Record<string, number>) => ({ list: async () => [anEndpoint({ weights })] });

it("a woken server to which the database gives traffic goes on to answer", async () => {
  const begun = await givenRestart();
  await begun.stopUnrouted(routed({ [ID]: 10, other: 90 }));
  await becomesReady();
});

it.each([
  ["another one", { other: 100 }],
  ["nobody", {}],
  ["a share of nothing", { [ID]: 0, other: 100 }],
])("a woken server is ended again where the database gives the traffic to %s", async (_, weights) => {
  const begun = await givenRestart();
  await begun.stopUnrouted(routed(weights));
  expect(await workshop.processesOf(ID)).toEqual([]);
});
