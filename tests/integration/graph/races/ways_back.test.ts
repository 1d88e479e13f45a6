import { inspect } from "node:util";
import { expect, test } from "vitest";
import { AgentError } from "../../../../src/errors.ts";
import {
  anotherProcess,
  deployAtOnce,
  ENDPOINT,
  type GivenDeployer,
  givenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../../support/given/given_deployer.ts";
import { violationsOfGiven } from "../../../faults/harness/scratch.ts";

const signal = new AbortController().signal;

/** Three have served, the last one does; two operators have a process each on the same database. */
async function givenThree() {
  const given = await givenDeployer();
  const first = await givenInProduction(given, "run1");
  const served = [first.deployment];
  for (const run of ["run2", "run3"]) {
    const version = await givenReadyForProduction(given, run);
    await promoteWithApproval(given, version);
    served.push((await deployAtOnce(given, version)).deployment_id);
  }
  const [one = "", two = "", bad = ""] = served;
  const operators = [anotherProcess(given), anotherProcess(given)] as const;
  return { given, one, two, bad, operators };
}

const back = ({ agent }: GivenDeployer, rollback_to: string) =>
  agent
    .execute({
      deployment_action: "rollback",
      endpoint_name: ENDPOINT,
      rollback_to,
      rollback_reason: "callers get nonsense",
    })
    .then(() => null)
    .catch((error: unknown) => error);

/** Whoever has won: the router and the database say the same, what serves is active, and all invariants hold. */
async function expectOneServing(given: GivenDeployer, among: readonly string[]): Promise<void> {
  await given.worker.tick();
  const weights = (await given.db.endpoints.get(ENDPOINT))?.weights ?? {};
  expect(Object.values(weights)).toEqual([100]);
  const [serves = ""] = Object.keys(weights);
  expect(among).toContain(serves);
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({ weights });
  expect(await given.db.deployments.get(serves)).toMatchObject({ status: "active", drain_due_at: null });
  expect(await violationsOfGiven(given)).toEqual([]);
}

const expectTold = (outcome: unknown) => {
  if (outcome === null) return;
  if (!(outcome instanceof AgentError)) expect.fail(`untyped: ${inspect(outcome)}`);
  expect(outcome.code).toMatch(/^(conflict|rollback_failed)$/);
};

test("of two operators who go back to different versions at the same moment one wins, and the other is told", async () => {
  const { given, one, two, operators } = await givenThree();
  const outcomes = await Promise.all([back(operators[0], one), back(operators[1], two)]);
  expect(outcomes).toContain(null);
  outcomes.forEach(expectTold);
  await expectOneServing(given, [one, two]);
});

test.each(["journal.begin", "router.apply", "journal.finish"] as const)(
  "whoever stands before %s while another operator goes back to something else is told, and what that one named serves",
  async (where) => {
    const { given, one, two, operators } = await givenThree();
    const [ana, bea] = operators;
    const stands = ana.wire.hold(where);
    const slow = back(ana, one);
    await stands.reached;
    const quick = await back(bea, two);
    stands.release();
    expectTold(quick);
    expectTold(await slow);
    await expectOneServing(given, quick === null ? [two] : [one]);
  },
);

test("what one operator takes out at this moment another one keeps, with words, and no server is lost", async () => {
  const { given, two, bad, operators } = await givenThree();
  const [ana, bea] = operators;
  const stands = ana.wire.hold("router.apply");
  const slow = back(ana, two);
  await stands.reached;
  const asked = {
    deployment_action: "rollback",
    endpoint_name: ENDPOINT,
    rollback_to: bad,
    rollback_reason: "it is innocent",
  } as const;
  const refused = await bea.agent.execute(asked).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: "rollback_failed", retryable: false });
  await bea.agent.execute({ ...asked, condemned_because: "the feature store was away" });
  stands.release();
  expectTold(await slow);
  await expectOneServing(given, [bad]);
});
