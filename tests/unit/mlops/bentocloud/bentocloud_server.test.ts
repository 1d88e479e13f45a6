import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  EndpointCreationError,
  ServiceUnavailableError,
} from "../../../../src/agents/model_deployer/errors.ts";
import { chooseInstance } from "../../../../src/mlops/bentocloud/instance_choice.ts";
import { type CloudWithServers, openCloud } from "../../../support/bentocloud/cloud_server.ts";
import type { CloudFault } from "../../../support/bentocloud/stand_in_cloud.ts";

const tag = "e2i_classifier:v1";
const signal = AbortSignal.timeout(300_000);
const resources = (more: object = {}) => ({
  replicas: 2,
  cpu_limit: "500m",
  memory_limit: "1Gi",
  autoscaling: { min: 2, max: 2, target_cpu: 70 },
  ...more,
});
const wanted = { deployment_id: "dep_one", bento_tag: tag, resources: resources(), served_before: true };

let here: CloudWithServers;
beforeEach(async () => {
  here = await openCloud([tag]);
});
afterEach(() => here.close());

test("a deployment gets the smallest instance type that has its CPU and memory, and its replicas", async () => {
  await here.server.start(wanted, { signal });
  expect(here.cloud.deployments.requests()).toMatchObject([
    {
      bento: tag,
      access_authorization: true,
      services: {
        model_service: { instance_type: "cpu.1", scaling: { min_replicas: 2, max_replicas: 2 } },
      },
    },
  ]);
});

describe("which instance type", () => {
  const types = [
    { name: "cpu.4", config: { price: "0.4", resources: { requests: { cpu: "4", memory: "8Gi" } } } },
    { name: "cpu.1", config: { price: "0.1", resources: { requests: { cpu: "1", memory: "2Gi" } } } },
    { name: "gpu", config: { price: "1", resources: { requests: { cpu: "", memory: "" } } } },
  ];
  test.each([
    ["1", "2Gi", { instance: "cpu.1" }],
    ["1100m", "100Mi", { instance: "cpu.4" }],
    ["100m", "2049Mi", { instance: "cpu.4" }],
  ])("%s CPU and %s", (cpu_limit, memory_limit, expected) => {
    expect(chooseInstance({ cpu_limit, memory_limit }, types)).toEqual(expected);
  });

  test("none has enough, so what there is is told", () => {
    expect(chooseInstance({ cpu_limit: "8", memory_limit: "1Gi" }, types)).toEqual({
      refused:
        "BentoCloud has no instance type with 8 CPU and 1Gi; it has cpu.4 (4 CPU, 8Gi), cpu.1 (1 CPU, 2Gi): ask for less",
    });
  });
});

describe("autoscaling", () => {
  const scaled = { ...wanted, resources: resources({ autoscaling: { min: 1, max: 5, target_cpu: 70 } }) };

  test("by CPU is refused with the reason, before anything is made", async () => {
    const attempt = here.server.start(scaled, { signal });
    await expect(attempt).rejects.toThrow(EndpointCreationError);
    await expect(attempt).rejects.toThrow(/scales by requests under way and not by CPU.*CONCURRENCY/);
    expect(here.cloud.deployments.requests()).toEqual([]);
  });

  test("goes by requests under way where a policy says how many", async () => {
    await here.another({ concurrency: 8 }).start(scaled, { signal });
    expect(here.cloud.deployments.requests()).toMatchObject([
      {
        services: {
          model_service: {
            scaling: { min_replicas: 1, max_replicas: 5 },
            config_overrides: { traffic: { concurrency: 8 } },
          },
        },
      },
    ]);
  });
});

test.each([
  ["image-building", { state: "starting" }],
  ["unknown", { state: "starting" }],
  ["image-build-failed", { state: "failed" }],
  ["unhealthy", { state: "unresponsive" }],
  ["scaled-to-zero", { state: "unresponsive" }],
  ["terminating", { state: "absent" }],
])("what the platform calls %s", async (status, expected) => {
  await here.server.start(wanted, { signal });
  here.cloud.deployments.say("dep_one", status);
  expect(await here.server.observe("dep_one", { signal })).toMatchObject(expected);
});

test("another deployer's deployments in the same organisation are left alone", async () => {
  const other = here.another({ installation: "other" });
  const { isolation, ...address } = await here.server.start(wanted, { signal });
  expect(isolation).toBe("pod");
  expect(await other.start(wanted, { signal })).not.toMatchObject(address);
  await other.stop("dep_one", { signal });
  expect(await here.server.observe("dep_one", { signal })).toMatchObject({ state: "ready", ...address });
});

test("a key that is not accepted says so, and nothing is tried again", async () => {
  here.cloud.meet(/GET/, { status: 401, body: '{"error": "unauthorized"}' });
  const before = here.cloud.calls.length;
  await expect(here.server.observe("dep_one", { signal })).rejects.toThrow(
    /BENTO_CLOUD_API_KEY is not accepted/,
  );
  expect(here.cloud.calls.length - before).toBe(1);
});

test("an address that answers pages is no BentoCloud", async () => {
  here.cloud.meet(/GET/, { status: 200, body: "<html>" });
  await expect(here.server.observe("dep_one", { signal })).rejects.toThrow(/is BENTO_CLOUD_API_ENDPOINT/);
});

/** One life of a server, with each call that it makes. */
async function life({ server }: CloudWithServers): Promise<void> {
  await server.start(wanted, { signal });
  await server.start({ ...wanted, beside: true }, { signal });
  await server.stop("dep_one", { signal, only_former: true });
  await server.handOver("dep_one", { deployment_id: "dep_two", bento_tag: tag }, { signal });
  await server.stop("dep_two", { signal });
}

const faults: [string, CloudFault][] = [
  ["500", { status: 500 }],
  ["429", { status: 429 }],
  ["a lost call", { lost: "call" }],
  ["a lost answer", { lost: "answer" }],
];
test.each(faults)("%s at each call: it is asked again, and all comes out right", async (_name, fault) => {
  await life(here);
  const kinds = [...new Set(here.cloud.calls.map((call) => call.replace(/md-[\w-]+/, "md")))];
  for (const kind of kinds) {
    const pattern = new RegExp(`^${kind.replace("md", "md-[\\w-]+")}$`);
    here.cloud.meet(pattern, fault);
    await life(here);
    expect(here.cloud.deployments.requests(), kind).toEqual([]);
  }
});

test("a process that is gone after any of its calls: another one carries on", async () => {
  await life(here);
  const calls = here.cloud.calls.length;
  for (let last = 1; last < calls; last += 1) {
    const cut = new AbortController();
    const began = here.cloud.calls.length;
    here.cloud.onCall = () => {
      if (here.cloud.calls.length - began >= last) cut.abort();
    };
    const killed = here.another();
    const dying = lifeUntil(killed, cut.signal);
    await expect(dying).rejects.toThrow(ServiceUnavailableError);
    here.cloud.onCall = () => undefined;
    await life({ ...here, server: here.another() });
    await here.server.stop("dep_one", { signal });
    await here.server.stop("dep_two", { signal });
    expect(here.cloud.deployments.requests(), `after ${last} calls`).toEqual([]);
  }
});

async function lifeUntil(server: CloudWithServers["server"], cut: AbortSignal): Promise<void> {
  const options = { signal: cut };
  await server.start(wanted, options);
  await server.start({ ...wanted, beside: true }, options);
  await server.stop("dep_one", { ...options, only_former: true });
  await server.handOver("dep_one", { deployment_id: "dep_two", bento_tag: tag }, options);
  await server.stop("dep_two", options);
}
