import { expect, test } from "vitest";
import { createTestDeployer, ENDPOINT, inProduction } from "../../../src/testing/index.ts";

const signal = new AbortController().signal;
const GIBIBYTE = 1024 ** 3;

test("a manifest says that nobody enforces the limits, and why", async () => {
  const given = await createTestDeployer();
  const { manifest } = await inProduction(given, "run1");
  expect(manifest).toMatchObject({ limits_enforced: false, isolation: "none" });
  expect(manifest.limits_note).toMatch(/^servers in memory are no processes\. .*its CPU is not limited\.$/);
});

test("a server that holds more than its limit is told as what it is, and replaced with no generation lost", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1", { replicas: 2 });
  await given.worker.tick();
  const before = await given.database.endpoints.get(ENDPOINT);
  const [one, two] = given.router.serversOf(ENDPOINT, deployment);
  given.server.use(`${deployment}.replica-2`, { memory_bytes: 4.1 * GIBIBYTE, cpu_seconds: 1 });
  given.wire.calls.length = 0;
  const { findings } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toMatchObject([
    { subject: deployment, found: "server 2 is out of memory: 4.1 of 4Gi", outcome: "repaired" },
  ]);
  const moves = given.wire.calls.filter((call) => /^(server\.(start|stop)|router\.apply)$/.test(call));
  expect(moves).toEqual(["server.start", "router.apply", "server.stop"]);
  const after = given.router.serversOf(ENDPOINT, deployment);
  expect(after[0]).toEqual(one);
  expect(after[1]).not.toEqual(two);
  expect(await given.database.endpoints.get(ENDPOINT)).toEqual(before);
  expect((await given.capabilities.reconciler.reconcile({ signal })).findings).toEqual([]);
});

test("a server within its limit is left alone, and so is one where nothing can be measured", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  given.server.use(deployment, { memory_bytes: 3.9 * GIBIBYTE, cpu_seconds: 1 });
  expect((await given.capabilities.reconciler.reconcile({ signal })).findings).toEqual([]);
  given.server.use(deployment, { memory_bytes: 5 * GIBIBYTE, cpu_seconds: 1 });
  given.wire.fail("serverUsage.usage");
  const { findings, unchecked } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toEqual([]);
  expect(unchecked).toEqual([`${deployment}: serverUsage.usage does not answer`]);
});
