import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  ENDPOINT,
  inProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const signal = new AbortController().signal;
const shown = async (given: TestDeployer, deployment: string) => {
  const observed = await given.server.observe(deployment, { signal });
  const replicas = observed.state === "ready" ? (observed.replicas ?? []) : [];
  return replicas.map(({ replica, state }) => `${replica} ${state}`);
};
const portsOf = (given: TestDeployer, deployment: string) =>
  given.router.serversOf(ENDPOINT, deployment).map(({ port }) => port);
const movesOf = (given: TestDeployer) =>
  given.wire.calls.filter((call) => /^(server\.(start|stop)|router\.apply)$/.test(call));

test("a deployment with three servers gives the router all of them", async () => {
  const given = await createTestDeployer();
  const { deployment, manifest } = await inProduction(given, "run1", { replicas: 3 });
  expect(manifest).toMatchObject({ replicas: 3, status: "active" });
  expect(await shown(given, deployment)).toEqual(["1 ready", "2 ready", "3 ready"]);
  expect(new Set(portsOf(given, deployment)).size).toBe(3);
});

test("one that has died is started again at the next look, under the same generation, and the others go on", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1", { replicas: 3 });
  await given.worker.tick();
  const before = await given.database.endpoints.get(ENDPOINT);
  const ports = portsOf(given, deployment);
  given.server.crash(`${deployment}.replica-2`, "its process has ended: MemoryError");
  expect(await shown(given, deployment)).toEqual(["1 ready", "2 failed", "3 ready"]);
  const started = given.server.started.length;
  const { findings } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toMatchObject([
    {
      subject: deployment,
      found: "2 of 3 servers answer; server 2: its process has ended: MemoryError",
      outcome: "repaired",
    },
  ]);
  expect(given.server.started.slice(started)).toEqual([`${deployment}.replica-2`]);
  expect(await shown(given, deployment)).toEqual(["1 ready", "2 ready", "3 ready"]);
  expect(portsOf(given, deployment)).toEqual(ports);
  expect(await given.database.endpoints.get(ENDPOINT)).toEqual(before);
  expect((await given.capabilities.reconciler.reconcile({ signal })).findings).toEqual([]);
});

test("one that cannot be started again is put off, and is not forgotten because the others answer", async () => {
  const given = await createTestDeployer();
  const { deployment, manifest } = await inProduction(given, "run1", { replicas: 2 });
  await given.worker.tick();
  given.server.crash(`${deployment}.replica-2`);
  given.server.breakModel(manifest.bento_tag, "MemoryError");
  const first = await given.capabilities.reconciler.reconcile({ signal });
  expect(first.findings).toMatchObject([{ subject: deployment, outcome: "left" }]);
  const second = await given.capabilities.reconciler.reconcile({ signal });
  expect(second.findings).toMatchObject([{ subject: deployment, outcome: "left" }]);
  expect(second.findings[0]?.why).toMatch(/MemoryError/);
  expect(await shown(given, deployment)).toContain("1 ready");
});

test("one that hangs gets another one beside it, which alone is restarted", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1", { replicas: 2 });
  await given.worker.tick();
  const ports = portsOf(given, deployment);
  given.server.hang(`${deployment}.replica-2`);
  for (let passed = 0; passed < 40; passed += 5) {
    given.passTime({ seconds: 5 });
    await given.capabilities.reconciler.reconcile({ signal });
  }
  expect(await shown(given, deployment)).toEqual(["1 ready", "2 ready"]);
  expect(portsOf(given, deployment)[0]).toBe(ports[0]);
  expect(portsOf(given, deployment)[1]).not.toBe(ports[1]);
});

test("a restart replaces them one by one: the next one is started when the former one has ended", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1", { replicas: 2 });
  await given.worker.tick();
  const ports = portsOf(given, deployment);
  given.wire.calls.length = 0;
  await act(given, "restart", { deployment_id: deployment, restart_reason: "new certificates" });
  const one = ["server.start", "router.apply", "server.stop"];
  expect(movesOf(given)).toEqual([...one, ...one]);
  expect(portsOf(given, deployment).filter((port) => ports.includes(port))).toEqual([]);
});
