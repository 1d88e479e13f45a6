import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Route } from "../../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { EndpointCreationError } from "../../../../src/agents/model_deployer/errors.ts";
import {
  type ClusterWithGateway,
  openClusterWithGateway,
} from "../../../support/kubernetes/cluster_with_gateway.ts";
import { running } from "../../../support/kubernetes/cluster_with_servers.ts";

const options = { signal: AbortSignal.timeout(600_000) };
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

/** The endpoint with `a`, and `b` beside it. */
async function serveBoth() {
  await here.router.open("churn", options);
  const a = await here.startServer("a", 200);
  const b = await here.startServer("b", 200);
  await here.router.apply(route(1, { a: 100 }), [a], options);
  return { a, b };
}

describe("refused by its name", () => {
  test("a copy, where the gateway's class does not list copies", async () => {
    const { a, b } = await serveBoth();
    here.gateway.list(["HTTPRouteMethodMatching"]);
    const copied = here.anotherRouter().apply(route(2, { a: 100 }, "b"), [a, b], options);
    await expect(copied).rejects.toThrow(
      /does not list HTTPRouteRequestMirror, so that b would get no copies/,
    );
    expect(await here.router.apply(route(2, { a: 90, b: 10 }), [a, b], options)).toMatchObject({
      generation: 2,
    });
  });

  test("a server outside the namespace", async () => {
    await serveBoth();
    const elsewhere = { deployment_id: "c", host: "192.0.2.7", port: 3000 };
    await expect(here.router.apply(route(2, { c: 100 }), [elsewhere], options)).rejects.toThrow(
      /no Service of this installation has the address 192\.0\.2\.7/,
    );
  });

  test("a deployment whose server's figures do not say when they began", async () => {
    const { a, b } = await serveBoth();
    const tag = "e2i_classifier:status500";
    here.behaviours.set(tag, (pod) => {
      const usual = running(tag, pod);
      if (usual.becomes !== "running") return usual;
      return {
        becomes: "running",
        answer: (path, body) => (path === "/metrics" ? { status: 200, body: "" } : usual.answer(path, body)),
      };
    });
    const old = await here.startServer("old", 500);
    await expect(here.router.apply(route(2, { a: 90, old: 10 }), [a, old], options)).rejects.toThrow(
      /cannot be judged: register its model anew/,
    );
    expect(await here.router.apply(route(2, { b: 100 }), [b], options)).toMatchObject({ generation: 2 });
  });

  test("a name that reads like another endpoint's host, or a route of somebody else's", async () => {
    await here.router.open("a_b", options);
    expect(await here.router.open("a-b", options)).not.toEqual(await here.router.open("a_b", options));
    const { endpoint_url } = await here.router.open("a-b", options);
    const alike = new URL(endpoint_url).hostname.split(".")[0]?.replaceAll("-", "_") ?? "";
    await expect(here.router.open(alike, options)).rejects.toThrow(/choose another name/);
    const name = here.cluster.objects.list("httproutes")[0]?.metadata.name ?? "";
    here.cluster.objects.patch("httproutes", name, {
      metadata: { annotations: { "model-deployer/route": null } },
    });
    await expect(here.router.open("a_b", options)).rejects.toThrow(EndpointCreationError);
  });
});

test("a first version's shadow gets copies of what is answered with 503, as soon as something answers", async () => {
  const { endpoint_url } = await here.router.open("churn", options);
  expect(endpoint_url).toBe("https://churn.models.example.org");
  const shadow = await here.startServer("shadow", 200);
  await here.router.apply(route(1, {}, "shadow"), [shadow], options);
  expect(await here.router.observe("churn", options)).toEqual(route(1, {}, "shadow"));
  expect(await here.send("churn", 4)).toEqual([503, 503, 503, 503]);
  expect(await here.router.figures("churn", options)).toMatchObject([
    { deployment_id: "shadow", requests: 4, errors: 0 },
  ]);
  here.behaviours.set("registry.example.org/envoy:v1.40.0", { becomes: "unready" });
  here.cluster.node.look();
  const hasty = here.anotherRouter({ acknowledgement: { deadlineMs: 100, pollMs: 5 } });
  await expect(hasty.apply(route(2, {}, "shadow"), [shadow], options)).rejects.toThrow(
    /Deployment md-nobody-[0-9a-f]+, which answers for endpoints that have no deployment/,
  );
});

describe("figures come from the pods", () => {
  const counted = async () => {
    const all = await here.router.figures("churn", options);
    return Object.fromEntries(
      all.map(({ deployment_id, requests, epoch }) => [deployment_id, { requests, epoch }]),
    );
  };

  test("once each while one of them goes, another comes, and one is away for a while", async () => {
    await serveBoth();
    await here.send("churn", 10);
    const before = (await counted())["a"];
    expect(before?.requests).toBe(10);
    const deployment = here.cluster.node.pods().find(({ metadata }) => metadata.name.startsWith("md-a-"));
    here.cluster.objects.remove("pods", deployment?.metadata.name ?? "", undefined);
    here.cluster.node.look();
    expect(await counted()).toEqual({});
    await here.send("churn", 4);
    const after = (await counted())["a"];
    expect(after?.requests).toBe(4);
    expect(after?.epoch).not.toBe(before?.epoch);
    const behaviour = here.behaviours.get("e2i_classifier:status200");
    here.behaviours.set("e2i_classifier:status200", { becomes: "unready" });
    here.cluster.node.look();
    expect(await counted()).toEqual({});
    if (behaviour !== undefined) here.behaviours.set("e2i_classifier:status200", behaviour);
    here.cluster.node.look();
    expect(await counted()).toEqual({});
    await here.send("churn", 3);
    expect((await counted())["a"]?.requests).toBe(3);
  });

  test("and begin with the endpoint, whatever a server answered elsewhere before", async () => {
    const { a, b } = await serveBoth();
    await here.router.open("staging", options);
    await here.router.apply({ ...route(1, { b: 100 }), endpoint_name: "staging" }, [b], options);
    await here.send("staging", 5);
    await here.router.apply(route(2, { a: 50, b: 50 }), [a, b], options);
    await here.send("churn", 10);
    expect(await counted()).toMatchObject({ a: { requests: 5 }, b: { requests: 5 } });
  });

  test("and are missing, with the reason, while a pod that gets callers tells none", async () => {
    await serveBoth();
    here.cluster.meet(/proxy\/metrics/, { status: 503 }, 1);
    await expect(here.router.figures("churn", options)).rejects.toThrow(
      /did not tell its figures: the answer was 503/,
    );
    expect(await here.router.figures("churn", options)).toEqual([]);
  });
});
