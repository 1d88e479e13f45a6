import { afterEach, beforeEach, expect, test } from "vitest";
import { ConflictError, ServiceUnavailableError } from "../../../../src/agents/model_deployer/errors.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import {
  type ClusterWithServers,
  openCluster,
  serverSettings,
} from "../../../support/kubernetes/cluster_with_servers.ts";

const signal = AbortSignal.timeout(600_000);
const tag = "e2i_classifier:v1";
const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};
const input = { deployment_id: "dep_one", bento_tag: tag, resources };
const settings = { ...serverSettings, drainDelaySeconds: 30 };

let here: ClusterWithServers;
let time: number;
beforeEach(async () => {
  here = await openCluster([tag]);
  time = Date.parse("2026-01-31T08:30:00Z");
});
afterEach(() => here.close());

/** Another process, whose clock is the test's. */
const server = () => here.another({ settings, now: () => time });
const there = () => here.cluster.objects.list("deployments").length;
const isMarked = () =>
  JSON.stringify(here.cluster.objects.list("deployments")).includes('"model-deployer/ending-since"');
const marked = () =>
  pollUntil(async () => isMarked(), { deadlineMs: 120_000, what: "a server that is to end" });

test("a server answers on for 30 s after it was told to end, whoever asks, and then ends at once", async () => {
  await server().start(input, { signal });
  const killed = new AbortController();
  const stopping = server().stop("dep_one", { signal: killed.signal });
  await marked();
  killed.abort();
  await expect(stopping).rejects.toThrow(ServiceUnavailableError);
  time += 29_000;
  const impatient = new AbortController();
  const again = server().stop("dep_one", { signal: impatient.signal });
  await pollUntil(async () => here.cluster.calls.at(-1)?.startsWith("GET ") === true, {
    deadlineMs: 120_000,
    what: "a second look",
  });
  impatient.abort();
  await expect(again).rejects.toThrow(ServiceUnavailableError);
  expect(there()).toBe(1);
  expect(await server().observe("dep_one", { signal })).toMatchObject({ state: "ready" });
  time += 1_000;
  await server().stop("dep_one", { signal });
  expect(there()).toBe(0);
});

test("one that is started again before it has ended is kept", async () => {
  await server().start(input, { signal });
  const stopping = here
    .another({ settings: { ...settings, drainDelaySeconds: 0.5 } })
    .stop("dep_one", { signal });
  const refused = expect(stopping).rejects.toThrow(ConflictError);
  await marked();
  await server().start(input, { signal });
  await refused;
  expect(there()).toBe(1);
  expect(isMarked()).toBe(false);
});

test("one that never got callers ends at once", async () => {
  await server().start(input, { signal });
  here.behaviours.set(tag, { becomes: "waiting", reason: "ImagePullBackOff", message: "gone" });
  await expect(server().start({ ...input, deployment_id: "dep_two" }, { signal })).rejects.toThrow("gone");
  expect(there()).toBe(1);
});
