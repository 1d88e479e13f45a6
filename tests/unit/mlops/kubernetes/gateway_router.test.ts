import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { Route } from "../../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import {
  ConflictError,
  EndpointCreationError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../../src/agents/model_deployer/errors.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import {
  type ClusterWithGateway,
  openClusterWithGateway,
} from "../../../support/kubernetes/cluster_with_gateway.ts";

import { type KeptObject, Refusal } from "../../../support/kubernetes/api_server/object_store.ts";

const options = { signal: AbortSignal.timeout(600_000) };
const hasty = { acknowledgement: { deadlineMs: 300, pollMs: 5 } };
const route = (generation: number, weights: Route["weights"], mirror: string | null = null): Route => ({
  endpoint_name: "churn",
  generation,
  weights,
  mirror_deployment_id: mirror,
});

let here: ClusterWithGateway;
beforeEach(async () => {
  here = await openClusterWithGateway();
});
afterEach(() => here.close());

const kept = (): KeptObject => {
  const [found] = here.cluster.objects.list("httproutes");
  if (found === undefined) throw new TypeError("no HTTPRoute");
  return found;
};
const specSchema = z.looseObject({
  rules: z.array(
    z.looseObject({
      name: z.string().optional(),
      filters: z.array(z.looseObject({ type: z.string() })).optional(),
      backendRefs: z.array(z.looseObject({ name: z.string(), weight: z.int() })).optional(),
    }),
  ),
});
const spec = () => specSchema.parse(kept()["spec"]);
const own = () => {
  const found = spec().rules.find(({ name }) => name === "model-deployer");
  if (found === undefined) throw new TypeError("no rule of the deployer's");
  return found;
};
/** As somebody else writes it, with `kubectl edit`. */
const edit = (change: object) => {
  const edited = here.cluster.objects.patch("httproutes", kept().metadata.name, { spec: change });
  if (edited instanceof Refusal) throw new TypeError(edited.message);
};

/** The endpoint with `a`, and `b` beside it. */
async function serveBoth() {
  await here.router.open("churn", options);
  const a = await here.startServer("a", 200);
  const b = await here.startServer("b", 200);
  await here.router.apply(route(1, { a: 100 }), [a], options);
  return { a, b };
}

test("what others have added to the route stays: filters, rules, hosts and another gateway's listener", async () => {
  const { a, b } = await serveBoth();
  const theirs = { type: "ResponseHeaderModifier", responseHeaderModifier: { remove: ["server"] } };
  const rule = {
    name: "docs",
    matches: [{ path: { type: "Exact", value: "/docs" } }],
    backendRefs: [{ name: "docs", port: 80 }],
  };
  here.cluster.objects.create("services", {
    ...{ apiVersion: "v1", kind: "Service", metadata: { name: "docs" } },
    spec: { selector: {}, ports: [{ port: 80 }] },
  });
  edit({
    hostnames: ["churn.models.example.org", "churn.example.com"],
    rules: [rule, { ...own(), filters: [...(own().filters ?? []), theirs], timeouts: { request: "7s" } }],
  });
  await here.router.apply(route(2, { a: 40, b: 60 }, "a"), [a, b], options);
  await here.router.apply(route(3, { b: 100 }), [b], options);
  expect(spec()).toMatchObject({
    hostnames: ["churn.models.example.org", "churn.example.com"],
    rules: [rule, { name: "model-deployer", timeouts: { request: "7s" } }],
  });
  expect(own().filters?.map(({ type }) => type)).toEqual(["RequestHeaderModifier", "ResponseHeaderModifier"]);
  expect(own().backendRefs?.map(({ weight }) => weight)).toEqual([100]);
});

describe("a route is in force", () => {
  test("when the controller has accepted exactly it, and not before", async () => {
    const { b } = await serveBoth();
    here.gateway.isAsleep = true;
    let isApplied = false;
    const applying = here.router.apply(route(2, { b: 100 }), [b], options).finally(() => {
      isApplied = true;
    });
    await pollUntil(async () => JSON.stringify(kept()).includes('\\"generation\\":2'), {
      deadlineMs: 120_000,
      what: "a route that names b",
    });
    expect(await here.router.observe("churn", options)).toEqual(route(1, { a: 100 }));
    expect(isApplied).toBe(false);
    here.gateway.isAsleep = false;
    here.gateway.look();
    expect(await applying).toEqual(route(2, { b: 100 }));
  });

  test("at no time where a controller reports no generation, which is said", async () => {
    const { b } = await serveBoth();
    here.gateway.isVague = true;
    const applying = here.anotherRouter(hasty).apply(route(2, { b: 100 }), [b], options);
    await expect(applying).rejects.toThrow(ServiceUnavailableError);
    await expect(applying).rejects.toThrow(
      /gateway infra\/shared: its controller has said Accepted and ResolvedRefs of no generation from \d+ on/,
    );
    expect(await here.router.observe("churn", options)).toEqual(route(1, { a: 100 }));
  });

  test("by whoever asks again after the process that had begun was killed", async () => {
    const { b } = await serveBoth();
    here.gateway.isAsleep = true;
    await expect(here.anotherRouter(hasty).apply(route(2, { b: 100 }), [b], options)).rejects.toThrow(
      ServiceUnavailableError,
    );
    here.gateway.isAsleep = false;
    here.gateway.look();
    expect(await here.anotherRouter().apply(route(2, { b: 100 }), [b], options)).toEqual(
      route(2, { b: 100 }),
    );
  });
});

test("a route that a parent refuses is put back, and says why", async () => {
  const { a, b } = await serveBoth();
  here.gateway.refused = [...here.cluster.objects.list("services")].at(-1)?.metadata.name ?? "";
  const applying = here.router.apply(route(2, { a: 50, b: 50 }), [a, b], options);
  await expect(applying).rejects.toThrow(ServiceRefusedError);
  await expect(applying).rejects.toThrow(
    /infra\/shared: ResolvedRefs is False: BackendNotFound service "md-b-/,
  );
  expect(await here.router.observe("churn", options)).toEqual(route(1, { a: 100 }));
  expect(await here.send("churn", 3)).toEqual([200, 200, 200]);
  await expect(here.router.apply(route(1, { b: 100 }), [b], options)).rejects.toThrow(ConflictError);
  here.gateway.refused = null;
  expect(await here.router.apply(route(2, { b: 100 }), [b], options)).toEqual(route(2, { b: 100 }));
});

test("two that apply at the same time end with the newer generation", async () => {
  const { a, b } = await serveBoth();
  const both = await Promise.allSettled([
    here.router.apply(route(2, { a: 50, b: 50 }), [a, b], options),
    here.anotherRouter().apply(route(3, { b: 100 }), [b], options),
  ]);
  expect(both[1]).toMatchObject({ status: "fulfilled", value: route(3, { b: 100 }) });
  expect(await here.router.observe("churn", options)).toEqual(route(3, { b: 100 }));
});

describe("what somebody changes is seen as it is", () => {
  const changes: [string, () => object, Route][] = [
    [
      "a weight",
      () => ({ ...own(), backendRefs: own().backendRefs?.map((one) => ({ ...one, weight: 40 })) }),
      route(2, { a: 40, b: 40 }, "b"),
    ],
    [
      "a Service of somebody else's among them",
      () => ({ ...own(), backendRefs: [{ name: "theirs", port: 80, weight: 7 }] }),
      route(2, { a: 0, b: 0, "Service/theirs": 7 }, "b"),
    ],
    [
      "a copy of a part",
      () => ({
        ...own(),
        filters: own().filters?.map((one) =>
          one.type === "RequestMirror"
            ? { ...one, requestMirror: { ...z.looseObject({}).parse(one["requestMirror"]), percent: 10 } }
            : one,
        ),
      }),
      route(2, { a: 90, b: 10 }),
    ],
    ["its rule taken away", () => ({ name: "theirs" }), route(2, { a: 0, b: 0 })],
  ];
  test.each(changes)("%s", async (_what, rule, seen) => {
    const { a, b } = await serveBoth();
    here.cluster.objects.create("services", {
      ...{ apiVersion: "v1", kind: "Service", metadata: { name: "theirs" } },
      spec: { selector: {}, ports: [{ port: 80 }] },
    });
    await here.router.apply(route(2, { a: 90, b: 10 }, "b"), [a, b], options);
    edit({ rules: [rule()] });
    expect(await here.router.observe("churn", options)).toEqual(seen);
    // The reconciler applies what is wanted as the next generation.
    const next = route(3, { a: 90, b: 10 }, "b");
    expect(await here.router.apply(next, [a, b], options)).toEqual(next);
  });

  test("the gateway's name and the host, which an opening brings back", async () => {
    await serveBoth();
    edit({ parentRefs: [], hostnames: ["elsewhere.example.org"] });
    expect(await here.router.observe("churn", options)).toBeNull();
    await here.router.open("churn", options);
    expect(await here.router.observe("churn", options)).toEqual(route(1, { a: 100 }));
    expect(await here.send("churn", 1)).toEqual([200]);
  });

  test("the whole route, which begins again without weights", async () => {
    const { a } = await serveBoth();
    here.cluster.objects.remove("httproutes", kept().metadata.name, undefined);
    expect(await here.router.observe("churn", options)).toBeNull();
    await here.router.open("churn", options);
    expect(await here.router.observe("churn", options)).toEqual(route(0, {}));
    expect(await here.router.apply(route(1, { a: 100 }), [a], options)).toEqual(route(1, { a: 100 }));
  });
});

test("endpoints are not open where no gateway takes their routes, which says why", async () => {
  here.cluster.objects.remove("gateways", "shared", undefined);
  const opening = here.anotherRouter(hasty).open("churn", options);
  await expect(opening).rejects.toThrow(EndpointCreationError);
  await expect(opening).rejects.toThrow(/infra\/shared: Accepted is False: NoMatchingParent/);
  expect(await here.router.observe("churn", options)).toBeNull();
});
