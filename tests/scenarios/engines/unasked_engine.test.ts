import { expect, test } from "vitest";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import type { EngineKind } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import type { ModelServer } from "../../../src/agents/model_deployer/ports/model_server_port.ts";
import {
  act,
  deploy,
  ENDPOINT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
} from "../../../src/testing/index.ts";
import { givenEngines } from "../../support/given/given_engines.ts";

/** A candidate with half of the traffic; it and what served before are on different engines. */
async function givenARollout({ from, to }: { from: EngineKind; to: EngineKind }) {
  const { given, cluster, serveOn } = await givenEngines();
  await serveOn({ production: from });
  const { deployment: old } = await inProduction(given, "run1");
  given.router.sendTraffic(ENDPOINT, 2000);
  await serveOn({ production: to });
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = [
    { weight: 50, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ];
  const manifest = await deploy(given, version, "production", { rollout: { steps } });
  const whenTheClusterAnswersNobody = () => {
    const lost = new ServiceUnavailableError("kubernetes", "kubernetes does not answer");
    const observe: ModelServer["observe"] = () => Promise.reject(lost);
    Object.assign(cluster, { observe });
  };
  const whenLooks = async (looks: number, behaviours: Record<string, { error_rate: number }>) => {
    for (let look = 0; look < looks; look += 1) {
      given.passTime({ seconds: 5 });
      given.router.sendTraffic(ENDPOINT, 100, behaviours);
      await given.worker.tick();
    }
  };
  const rollout = async () =>
    (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("nothing is rolled out");
  const weights = async () => (await given.database.endpoints.get(ENDPOINT))?.weights;
  return {
    given,
    old,
    candidate: manifest.deployment_id,
    whenTheClusterAnswersNobody,
    whenLooks,
    rollout,
    weights,
  };
}

test.each([
  ["the candidate's", { from: "local", to: "kubernetes" }],
  ["its baseline's", { from: "kubernetes", to: "local" }],
] as const)(
  "a candidate that fails its callers is sent back though %s engine answers nobody",
  async (_whose, engines) => {
    const { old, candidate, whenTheClusterAnswersNobody, whenLooks, rollout, weights } =
      await givenARollout(engines);
    whenTheClusterAnswersNobody();
    await whenLooks(10, { [candidate]: { error_rate: 0.5 } });
    const { status, verdict } = await rollout();
    expect(verdict?.reason).toContain("the candidate fails more often, beyond doubt");
    expect(status).toBe("rolled_back");
    expect(await weights()).toEqual({ [old]: 100 });
  },
);

test("a person takes a candidate back at once to a baseline whose engine answers nobody", async () => {
  const { given, old, whenTheClusterAnswersNobody, weights } = await givenARollout({
    from: "kubernetes",
    to: "local",
  });
  whenTheClusterAnswersNobody();
  const back = await act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "nonsense" });
  expect(back.status).toBe("completed");
  expect(await weights()).toEqual({ [old]: 100 });
});

test("one that nobody can ask is neither failed nor given more, and the look says why", async () => {
  const { old, candidate, whenTheClusterAnswersNobody, whenLooks, rollout, weights } = await givenARollout({
    from: "local",
    to: "kubernetes",
  });
  whenTheClusterAnswersNobody();
  await whenLooks(40, {});
  const { status, verdict } = await rollout();
  expect(status).toBe("running");
  expect(verdict?.reason).toMatch(/^the candidate's server: it cannot be asked: kubernetes does not answer/);
  expect(await weights()).toEqual({ [old]: 50, [candidate]: 50 });
});
