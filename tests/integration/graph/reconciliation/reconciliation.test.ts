import { expect, test } from "vitest";
import {
  anotherProcess,
  deploy,
  ENDPOINT,
  errorOf,
  givenDeployer,
  promote,
  register,
} from "../../../support/given/given_deployer.ts";
import {
  endpointNow,
  expectRepaired,
  givenServing,
  inShort,
  reconcile,
  routeNow,
  signal,
} from "./reconciled.ts";

const MODEL = "e2i_remission";

test("where nothing differs nothing is found, and nothing is done", async () => {
  const given = await givenDeployer();
  await givenServing(given);
  const calls = given.wire.calls.length;
  expect(await reconcile(given)).toEqual({
    checked: { endpoints: 1, servers: 1, versions: 1 },
    findings: [],
    in_use: [],
    unchecked: [],
    retry_seconds: null,
  });
  expect(new Set(given.wire.calls.slice(calls))).toEqual(
    new Set(["router.observe", "server.observe", "server.list", "registry.describeVersion"]),
  );
});

test("a registry whose tag and aliases were changed by hand shows the truth again", async () => {
  const given = await givenDeployer();
  const { version } = await givenServing(given);
  const byHand = { model_name: MODEL, version: 1, stage: "staging" as const };
  await given.registry.projectStage(
    { ...byHand, aliases: ["previous", "mine"], dropped_aliases: ["production"] },
    { signal },
  );
  const [finding] = await expectRepaired(given, `registry ${version}`);
  expect(finding).toMatchObject({
    found: "stage staging, alias previous",
    wanted: "stage production, alias production",
  });
  expect(given.registry.projectionOf(MODEL, 1)).toEqual({
    stage: "production",
    aliases: ["mine", "production"],
  });
});

test("of two versions at a stage the last one to come there has the alias, and nothing differs", async () => {
  const given = await givenDeployer();
  for (const run of ["run1", "run2"]) await promote(given, await register(given, run), "staging");
  await given.worker.tick();
  expect((await reconcile(given)).findings).toEqual([]);
  const aliases = [1, 2].map((version) => given.registry.projectionOf(MODEL, version)?.aliases);
  expect(aliases).toEqual([[], ["staging"]]);
});

test("a listener that has died is opened again, with the route that is wanted", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenServing(given);
  const before = await endpointNow(given);
  given.router.kill(ENDPOINT);
  const [finding] = await expectRepaired(given, `router ${ENDPOINT}`);
  expect(finding?.found).toBe("no listener");
  expect(await routeNow(given)).toMatchObject({
    weights: { [deployment]: 100 },
    generation: before.generation,
  });
});

test("a wanted generation that nobody works on any more is applied, acknowledged and in the history", async () => {
  const given = await givenDeployer();
  const { version } = await givenServing(given);
  await given.world.sql(
    `update ml_endpoints set generation = generation + 1, wanted_at = clock_timestamp(), wanted_by = 'ana',
       wanted_reason = 'left behind'`,
  );
  await expectRepaired(given, `router ${ENDPOINT}`);
  const { generation, observed_generation } = await endpointNow(given);
  expect([observed_generation, (await routeNow(given))?.generation]).toEqual([generation, generation]);
  const history = await given.db.history.list("remission");
  expect(history.at(-1)).toMatchObject({ generation, reason: "left behind", weights: { [version]: 100 } });
});

test("a router that does something else at the same generation is given the next one, never an older one", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenServing(given);
  const { generation } = await endpointNow(given);
  const next = generation + 1;
  await given.world.sql(
    `update ml_endpoints set generation = $1, observed_generation = $1, wanted_at = clock_timestamp()`,
    [next],
  );
  await given.router.apply(
    { endpoint_name: ENDPOINT, generation: next, weights: {}, mirror_deployment_id: null },
    [],
    { signal },
  );
  await expectRepaired(given, `router ${ENDPOINT}`);
  expect(await routeNow(given)).toMatchObject({ weights: { [deployment]: 100 }, generation: next + 1 });
});

test("a router that is ahead of the database is left, and named", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenServing(given);
  const { generation } = await endpointNow(given);
  const address = given.router.serverOf(ENDPOINT, deployment) ?? expect.fail("no address");
  const weights = { [deployment]: 100 };
  const route = { endpoint_name: ENDPOINT, generation: generation + 5, weights, mirror_deployment_id: null };
  await given.router.apply(route, [address], { signal });
  const { findings } = await reconcile(given);
  expect(findings).toMatchObject([{ outcome: "left" }]);
  expect(findings[0]?.why).toContain("ahead of the database");
  expect((await endpointNow(given)).generation).toBe(generation);
  expect(await routeNow(given)).toMatchObject({ generation: generation + 5 });
});

test("an operation at work is not fought: its endpoint is passed over, and who has it is named", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await deploy(given, version, "staging");
  const hold = given.wire.hold("router.apply");
  const working = deploy(given, version, "staging", { request_id: "again" });
  await hold.reached;
  const other = anotherProcess(given);
  const applied = given.router.applied.length;
  const { findings, in_use } = await reconcile(other);
  expect(findings).toEqual([]);
  expect(in_use.join()).toMatch(new RegExp(`${ENDPOINT}_staging: .* holds it since`));
  expect(given.router.applied).toHaveLength(applied);
  hold.release();
  expect((await working).status).toBe("active");
});

test("an operation that was left is resumed before anything is repaired behind its back", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  given.wire.fail("router.apply", { times: 1 });
  expect((await errorOf(deploy(given, version, "staging"))).retryable).toBe(true);
  const { findings } = await reconcile(given);
  expect(findings.map(inShort)).toEqual([`router ${ENDPOINT}_staging left`]);
  expect(findings[0]?.why).toMatch(/operation op_\w+ is carrying_out; it is resumed first/);
  const { resumed } = await given.worker.tick();
  expect(resumed).toMatchObject([{ action: "deploy", outcome: "finished" }]);
  expect((await reconcile(given)).findings).toEqual([]);
});

test("what does not answer is named, and taken for no drift", async () => {
  const given = await givenDeployer();
  const { version } = await givenServing(given);
  given.wire.fail("registry.describeVersion");
  given.wire.fail("router.observe");
  const { findings, unchecked } = await reconcile(given);
  expect(findings).toEqual([]);
  expect(unchecked.map((sentence) => sentence.split(":")[0])).toEqual([ENDPOINT, version]);
});

test("a repair that fails is not reported as done, and is tried again when its wait is over", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenServing(given);
  given.server.crash(deployment);
  given.wire.fail("server.start", { times: 1 });
  const { findings } = await reconcile(given);
  expect(findings).toMatchObject([{ outcome: "left" }]);
  expect(findings[0]?.why).toMatch(
    /^it could not be started once \(server\.start does not answer\); next try at /,
  );
  await given.world.passTime({ seconds: 30 });
  await expectRepaired(given, `servers ${deployment}`);
});

test("the worker looks for drift in its own time, and reports what it found", async () => {
  const given = await givenDeployer();
  await givenServing(given);
  given.router.kill(ENDPOINT);
  expect((await given.worker.tick()).reconciliation).toBeNull();
  const eager = anotherProcess(given, { reconcile_seconds: 0 });
  const { reconciliation } = await eager.worker.tick();
  expect(reconciliation?.findings.map(inShort)).toEqual([`router ${ENDPOINT} repaired`]);
});
