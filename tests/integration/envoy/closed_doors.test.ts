import { Client } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pollUntil } from "../../../src/testing/poll.ts";
import { makeEnvoyFixture, prepareEnvoy, type EnvoyFixture } from "./fixture.ts";

const options = { signal: new AbortController().signal };

describe("what an endpoint lets through", () => {
  let fixture: EnvoyFixture;
  let client: Client;
  let servers: Awaited<ReturnType<EnvoyFixture["startServer"]>>[];

  beforeAll(async () => {
    await prepareEnvoy();
    fixture = await makeEnvoyFixture();
    const { endpoint_url } = await fixture.router.open("churn", options);
    servers = [await fixture.startServer("production"), await fixture.startServer("shadow")];
    const addresses = servers.map(({ address }) => address);
    const weights = { production: 100 };
    const route = { endpoint_name: "churn", generation: 1, weights, mirror_deployment_id: "shadow" };
    await fixture.router.apply(route, addresses, options);
    client = new Client(endpoint_url);
  }, 20 * 60_000);

  afterAll(async () => {
    await client.close();
    await fixture.dispose();
  });

  /** As it stands, without what a client would tidy up. */
  async function statusOf(method: "GET" | "POST", path: string): Promise<number> {
    const answer = await client.request({ method, path, headers: { "content-type": "application/json" } });
    await answer.body.dump();
    return answer.statusCode;
  }

  it("is the model's own routes", async () => {
    const open = [
      "/healthz",
      "/predict",
      "/predict?a=1",
      "/invocations",
      "/v2",
      "/v2/health/ready",
      "/v2/models/m/infer",
    ];
    for (const path of [...open, "/openapi.json"]) expect(await statusOf("POST", path), path).toBe(200);
  });

  it("is told in the form that all errors have", async () => {
    const answer = await client.request({ method: "POST", path: "/sample" });
    expect(answer.headers["content-type"]).toBe("application/json");
    const message = "an endpoint answers /predict, /invocations, /v2, /openapi.json and /healthz";
    const told = { error_code: "RESOURCE_DOES_NOT_EXIST", message, error: message };
    expect(await answer.body.json()).toEqual(told);
  });

  it.each([
    ...["/sample", "/info", "/health", "/metrics", "/docs.json", "/livez", "/readyz", "/", "//sample"],
    ...[
      "/%73ample",
      "/predict/../sample",
      "/sample?/predict",
      "/sample/predict",
      "/v2x",
      "/openapiXjson",
      "/Predict",
    ],
    ...["/predict/", "/predict%2f..%2fsample", "/sample;/predict"],
  ])("is not %s, which no server is asked", async (path) => {
    const before = servers.map(({ received }) => received.length);
    expect(await statusOf("GET", path)).toBe(404);
    expect(servers.map(({ received }) => received.length)).toEqual(before);
  });

  it("is no request that says it comes from the deployer: neither production nor shadow sees the mark", async () => {
    const headers = {
      "X-Model-Deployer-Probe": "production",
      "X-Model-Deployer-Secret": "guessed",
      "x-request-id": "marked",
    };
    const answer = await client.request({ method: "POST", path: "/predict", headers, body: "{}" });
    await answer.body.dump();
    const seen = () =>
      servers.map(({ received }) => received.filter(({ request_id }) => request_id === "marked"));
    await pollUntil(() => seen().every((requests) => requests.length === 1), {
      deadlineMs: 120_000,
      what: "the marked request at both",
    });
    expect(seen().map(([one]) => [one?.probe, one?.secret])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
    ]);
  });
});
