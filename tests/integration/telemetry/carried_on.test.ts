import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { activeTraceId, inSpan } from "../../../src/agents/base/tracing.ts";
import { ServerProbe } from "../../../src/mlops/bentoml/servers/server_probe.ts";
import { EnvoyAdmin } from "../../../src/mlops/envoy/admin.ts";
import { predict } from "../../../src/pipeline/prediction_client.ts";
import { startTracing } from "../../../src/telemetry/otlp_tracing.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { makeEnvoyFixture, prepareEnvoy } from "../envoy/fixture.ts";

const options = { signal: AbortSignal.timeout(120_000) };

beforeAll(async () => {
  await prepareEnvoy();
  await startTracing({ endpoint: "http://127.0.0.1:9", serviceName: "tests" });
}, 20 * 60_000);

/** A server of the test's own, which is told nothing but that all is well. */
async function listening(where: string | number, answer: (request: IncomingMessage) => object) {
  const parents: (string | undefined)[] = [];
  const listen: RequestListener = (request, response) => {
    parents.push(request.headersDistinct["traceparent"]?.join());
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer(request)));
  };
  const server = createServer(listen);
  if (typeof where === "string") server.listen(where);
  else server.listen(where, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { parents, port: typeof address === "object" && address !== null ? address.port : 0 };
}

/** Runs it in a trace and gives the trace's id back. */
async function traced(work: () => Promise<unknown>): Promise<string> {
  return inSpan("the caller", {}, async () => {
    await work();
    return activeTraceId() ?? expect.fail("nobody traces");
  });
}

test("a prediction's trace goes through the router to the server that answers and to its shadow", async () => {
  const fixture = await makeEnvoyFixture();
  onTestFinished(() => fixture.dispose());
  const { router, startServer } = fixture;
  const { endpoint_url } = await router.open("churn", options);
  const production = await startServer("production");
  const shadow = await startServer("shadow");
  const route = { endpoint_name: "churn", generation: 1, weights: { production: 100 } };
  const servers = [production.address, shadow.address];
  await router.apply({ ...route, mirror_deployment_id: "shadow" }, servers, options);

  const request = { entity_id: "patient_7", features: {}, time_horizon: "30d", return_proba: true };
  const trace = await traced(() =>
    // The double answers with its name, which is no prediction; what it was sent is what counts.
    expect(predict(endpoint_url, request, { key: null, signal: options.signal })).rejects.toMatchObject({
      code: "service_refused",
    }),
  );
  await pollUntil(() => shadow.received.some(({ url }) => url === "/predict"), {
    deadlineMs: 120_000,
    what: "a mirrored request",
  });
  for (const { received } of [production, shadow]) {
    const asked = received.find(({ url }) => url === "/predict") ?? expect.fail("it was not asked");
    expect(asked.traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
  }
});

test("what a caller sends is handed on as it is, and nothing is made up where nobody traces", async () => {
  const fixture = await makeEnvoyFixture();
  onTestFinished(() => fixture.dispose());
  const { endpoint_url } = await fixture.router.open("churn", options);
  const server = await fixture.startServer("production");
  const route = { endpoint_name: "churn", generation: 1, weights: { production: 100 } };
  await fixture.router.apply({ ...route, mirror_deployment_id: null }, [server.address], options);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await fixture.predict(endpoint_url, { traceparent });
  await fixture.predict(endpoint_url);
  expect(server.received.map((one) => one.traceparent)).toEqual([traceparent, undefined]);
});

test("the router's administration is told which trace asks", async () => {
  const folder = await mkdtemp(join(tmpdir(), "envoy-admin-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const socket = join(folder, "admin.sock");
  const { parents } = await listening(socket, () => ({ state: "LIVE", node: { id: "run1" } }));
  const admin = new EnvoyAdmin("churn", socket);
  onTestFinished(() => admin.disconnect());
  const trace = await traced(() => admin.state(options.signal));
  expect(parents).toEqual([expect.stringMatching(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`))]);
});

test("a server that is asked whether it is ready is told which trace asks", async () => {
  const server = { deployment_id: "dep_1", bento_tag: "churn:v1" };
  const predictions = { threads: 8, under_way: 0, waiting: 0, hung: 0, oldest_seconds: 0 };
  const { parents, port } = await listening(0, ({ url }) =>
    url === "/sample" ? { sample: null, source: null } : { ...server, ready: true, predictions },
  );
  const probe = new ServerProbe();
  onTestFinished(() => probe.close());
  const trace = await traced(async () => {
    const expected = { process: server.deployment_id, bento_tag: server.bento_tag, port };
    expect(await probe.health(expected, options.signal)).toEqual({ health: "ready", predictions });
    expect(await probe.sample(expected, options.signal)).toEqual({ sample: "none" });
  });
  expect(parents).toHaveLength(2);
  for (const parent of parents) expect(parent).toContain(trace);
});
