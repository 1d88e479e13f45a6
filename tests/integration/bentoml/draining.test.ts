import { once } from "node:events";
import { access, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { ServerAddress } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { type EnvoyFixture, makeEnvoyFixture } from "../envoy/fixture.ts";
import { processesWith } from "./processes.ts";
import { openWorkshop, resources, type Workshop } from "./workshop.ts";

let workshop: Workshop;
let envoy: EnvoyFixture;
let bentoTag: string;
const patience = () => ({ signal: AbortSignal.timeout(300_000) });

beforeAll(async () => {
  workshop = await openWorkshop();
  envoy = await makeEnvoyFixture();
  bentoTag = await workshop.pack("waiting_when_told");
});

afterAll(async () => {
  await envoy.dispose();
  await workshop.close();
});

const tumour = (radius: number): string =>
  JSON.stringify({
    entity_id: "HCP1",
    features: {
      "mean radius": radius,
      "mean texture": 10.38,
      "mean perimeter": 122.8,
      "mean area": 1001,
      "mean smoothness": 0.1184,
    },
  });
const quick = tumour(18);
/** Waits inside the model until it is told to go on. */
const slow = tumour(25);

const temporary = (deploymentId: string, file: string) =>
  join(workshop.directory, "run", "homes", deploymentId, "tmp", file);
const goOn = (deploymentId: string) => writeFile(temporary(deploymentId, "go_on"), "");
const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

describe("stopping a replaced server", () => {
  let url: string;
  let generation = 0;

  beforeEach(async () => {
    url = (await envoy.router.open("churn", patience())).endpoint_url;
  });

  const serve = async (deployment_id: string): Promise<ServerAddress> => {
    const input = { deployment_id, bento_tag: bentoTag, resources };
    return { deployment_id, ...(await workshop.server.start(input, patience())) };
  };
  const switchTo = async (server: ServerAddress) => {
    generation += 1;
    const weights = { [server.deployment_id]: 100 };
    const route = { endpoint_name: "churn", generation, weights, mirror_deployment_id: null };
    await envoy.router.apply(route, [server], patience());
  };
  const observe = (deploymentId: string) => workshop.server.observe(deploymentId, patience());

  /** A request is under way at the first, traffic goes to the second, and the first is told to stop. */
  const replaceDuringRequest = async (first: string, second: string) => {
    await switchTo(await serve(first));
    const successor = await serve(second);
    const answer = envoy.predict(url, {}, slow);
    const begun = () => exists(temporary(first, "begun"));
    await pollUntil(begun, { what: `a request under way at ${first}`, deadlineMs: 120_000 });
    await switchTo(successor);
    const stopped = workshop.server.stop(first, patience());
    const isStopping = async () => (await observe(first)).state !== "ready";
    await pollUntil(isStopping, { what: `end of new requests at ${first}`, deadlineMs: 120_000 });
    return { answer, stopped };
  };

  it("answers what was under way before the switch, and everything else from the new one", async () => {
    const { answer, stopped } = await replaceDuringRequest("dep_old", "dep_new");
    expect(await envoy.predict(url, {}, quick)).toMatchObject({ status: 200, deployment_id: "dep_new" });
    await goOn("dep_old");
    expect(await answer).toMatchObject({ status: 200, deployment_id: "dep_old" });
    await stopped;
    expect(await observe("dep_old")).toEqual({ state: "absent" });
    expect(await envoy.predict(url, {}, quick)).toMatchObject({ status: 200, deployment_id: "dep_new" });
  });

  it("outlasts the router's patience with a request that never ends, and no longer", async () => {
    const { answer, stopped } = await replaceDuringRequest("dep_stuck", "dep_next");
    // A server that ended before would have cut the connection, which the router answers with 503.
    expect(await answer).toMatchObject({ status: 504 });
    await stopped;
    expect(await observe("dep_stuck")).toEqual({ state: "absent" });
    const left = await processesWith("MODEL_DEPLOYER_DEPLOYMENT_ID=dep_stuck", workshop.directory);
    expect(left).toEqual([]);
  });

  it("answers whom it took before it was told to end, and is closed for everybody else then", async () => {
    const { host, port } = await serve("dep_asked");
    // As a router's thread does that has not heard of the new route: connected, and about to ask.
    const taken = connect({ host, port });
    await once(taken, "connect");
    const answered = Promise.race([once(taken, "data"), once(taken, "close").then(() => ["closed"])]);
    const stopped = workshop.server.stop("dep_asked", patience());
    const log = join(workshop.directory, "run", "bento-dep_asked.log");
    const isTold = async () => (await readFile(log, "utf8")).includes("told to end");
    await pollUntil(isTold, { what: "the end that it is told", deadlineMs: 120_000 });
    taken.write(`GET /livez HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    const [head] = await answered;
    expect(String(head)).toMatch(/^HTTP\/1\.1 200/);
    taken.destroy();
    await stopped;
    expect(await observe("dep_asked")).toEqual({ state: "absent" });
    const late = connect({ host, port });
    const [refused] = await once(late, "error").catch((error: unknown) => [error]);
    expect(refused).toMatchObject({ code: "ECONNREFUSED" });
  });
});
