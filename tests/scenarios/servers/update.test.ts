import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  ENDPOINT,
  errorOf,
  inProduction,
  type Request,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const signal = new AbortController().signal;
const update = (given: TestDeployer, deployment_id: string, request: Request) =>
  act(given, "update", { deployment_id, update_reason: "more callers", ...request });
const portsOf = (given: TestDeployer, deployment: string) =>
  given.router.serversOf(ENDPOINT, deployment).map(({ port }) => port);

test("a deployment gets further servers and gives them up again, in place", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await given.database.endpoints.get(ENDPOINT);
  const [first] = portsOf(given, deployment);
  const { deployment_manifest } = await update(given, deployment, { replicas: 3, memory_limit: "6Gi" });
  expect(deployment_manifest).toMatchObject({ replicas: 3, memory_limit: "6Gi", cpu_limit: "2" });
  expect(portsOf(given, deployment)).toHaveLength(3);
  expect(portsOf(given, deployment)[0]).toBe(first);
  given.wire.calls.length = 0;
  await update(given, deployment, { replicas: 1 });
  const moves = given.wire.calls.filter((call) => /^(server\.(start|stop)|router\.apply)$/.test(call));
  expect(moves).toEqual(["server.start", "router.apply", "server.stop"]);
  expect(portsOf(given, deployment)).toEqual([first]);
  expect(await given.server.observe(deployment, { signal })).not.toHaveProperty("replaced");
  expect(await given.database.endpoints.get(ENDPOINT)).toEqual(before);
  expect(await given.database.deployments.get(deployment)).toMatchObject({
    replicas: 1,
    memory_limit: "6Gi",
  });
});

test("what cannot be started leaves the deployment as it was", async () => {
  const given = await createTestDeployer();
  const { deployment, manifest } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await given.database.deployments.get(deployment);
  const ports = portsOf(given, deployment);
  given.server.breakModel(manifest.bento_tag, "MemoryError");
  await errorOf(update(given, deployment, { replicas: 2 }));
  expect(await given.database.deployments.get(deployment)).toEqual(before);
  expect(portsOf(given, deployment)).toEqual(ports);
  const observed = await given.server.observe(deployment, { signal });
  expect(observed).toMatchObject({ state: "ready", replicas: [{ replica: 1 }] });
});

test("an update that was cut off, overtaken by another one and then fails comes to its end, and leaves the other's", async () => {
  const given = await createTestDeployer();
  const { deployment, manifest } = await inProduction(given, "run1");
  await given.worker.tick();
  given.wire.fail("server.start", { times: 1 });
  const cut = await errorOf(update(given, deployment, { replicas: 3 }));
  expect(cut).toMatchObject({ code: "service_unavailable", retryable: true });
  await update(given, deployment, { replicas: 2 });
  given.server.breakModel(manifest.bento_tag, "MemoryError");
  given.passTime({ minutes: 1 });
  const [ended, ...more] = (await given.worker.tick()).resumed;
  expect(more).toEqual([]);
  expect(ended).toMatchObject({ outcome: "undone" });
  expect(JSON.stringify(ended)).toContain("Not taken back: Somebody has changed the resources");
  expect(await given.database.deployments.get(deployment)).toMatchObject({ replicas: 2 });
  given.passTime({ minutes: 1 });
  expect((await given.worker.tick()).resumed).toEqual([]);
});

test("bounds move the number of servers into them", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const autoscaling = { min: 2, max: 4, target_cpu: 50 };
  const { deployment_manifest } = await update(given, deployment, { autoscaling });
  expect(deployment_manifest).toMatchObject({ replicas: 2, autoscaling });
  expect(portsOf(given, deployment)).toHaveLength(2);
});

test.each<[string, Request, string, RegExp]>([
  ["no server", { replicas: 0 }, "invalid_request", /replicas.*given 0/],
  ["nothing", {}, "invalid_request", /at least one of replicas, cpu_limit, memory_limit, autoscaling/],
  [
    "bounds the wrong way round",
    { autoscaling: { min: 3, max: 2, target_cpu: 70 } },
    "invalid_request",
    /min must not be above max/,
  ],
  ["more than the bound", { replicas: 6 }, "invalid_request", /above autoscaling.max 5/],
  ["less memory than is in use", { memory_limit: "1Gi" }, "invalid_request", /a server holds 1.5 of 1Gi/],
  ["no amount", { memory_limit: "lots" }, "invalid_request", /such as "512Mi"/],
])("%s is refused, and nothing changes", async (_name, request, code, message) => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  given.server.use(deployment, { memory_bytes: 1.5 * 1024 ** 3, cpu_seconds: 1 });
  const before = await given.database.deployments.get(deployment);
  given.wire.calls.length = 0;
  const error = await errorOf(update(given, deployment, request));
  expect(error).toMatchObject({ code, retryable: false });
  expect(error.message).toMatch(message);
  expect(given.wire.calls.filter((call) => /^(server\.(start|stop)|router)/.test(call))).toEqual([]);
  expect(await given.database.deployments.get(deployment)).toEqual(before);
});

test("what serves nobody any more is not updated", async () => {
  const given = await createTestDeployer();
  const { version } = await inProduction(given, "run1");
  await given.worker.tick();
  const [shadow] = (await given.database.deployments.listForVersion(version)).filter(
    ({ target_stage }) => target_stage === "shadow",
  );
  const gone = await errorOf(update(given, shadow?.deployment_id ?? "", { replicas: 2 }));
  expect(gone).toMatchObject({ code: "conflict" });
  expect(await errorOf(update(given, "deploy_nobody", { replicas: 2 }))).toMatchObject({ code: "not_found" });
});
