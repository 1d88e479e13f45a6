import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
} from "../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../support/decisions/followed.ts";

const signal = new AbortController().signal;

/** The second version has all traffic by the database, and the router was not told; a third one is the shadow. */
async function givenCutOff() {
  const given = await createTestDeployer();
  const first = await inProduction(given, "run1");
  const shadowed = await readyForProduction(given, "run3");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const shadow = await deploy(given, shadowed, "shadow");
  given.wire.fail("router.apply", { times: 1 });
  const cut = await errorOf(deployAtOnce(given, version));
  expect(cut).toMatchObject({ code: "service_unavailable", retryable: true });
  return { given, first, version, shadowed, shadow: shadow.deployment_id };
}

type CutOff = Awaited<ReturnType<typeof givenCutOff>>;

async function expectServed({ given }: CutOff, version: string) {
  const route = await given.router.observe(ENDPOINT, { signal });
  const [[id = "", share] = []] = Object.entries(route?.weights ?? {});
  expect(share).toBe(100);
  const deployment = await given.database.deployments.get(id);
  expect(deployment).toMatchObject({ model_version_id: version, status: "active" });
}

test("no rollout begins on an endpoint that is half moved, and one may begin once a worker has ended the move", async () => {
  const cut = await givenCutOff();
  const { given, version } = cut;
  const rollout = { model_version_id: version, target_stage: "production" as const };
  const refused = await errorOf(act(given, "deploy", rollout));
  expect(refused).toMatchObject({ code: "conflict", retryable: true });
  expect(refused.message).toContain("is being moved to");

  given.passTime({ minutes: 1 });
  await given.worker.tick();
  await expectServed(cut, version);
  await act(given, "deploy", rollout);
});

test("the way out of that refusal brings back what served before, without a worker", async () => {
  const cut = await givenCutOff();
  const { given, version, first } = cut;
  const refused = await errorOf(
    act(given, "deploy", { model_version_id: version, target_stage: "production" }),
  );
  const [back] = refused.next;
  expect(back?.action).toBe("rollback");
  if (back !== undefined) await given.agent.execute(modelDeployerRequestOf(back));
  await expectServed(cut, first.version);
  given.passTime({ minutes: 1 });
  await given.worker.tick();
  await expectServed(cut, first.version);
});

test("whoever asks again for the deployment that was cut off brings it to its end", async () => {
  const cut = await givenCutOff();
  await deploy(cut.given, cut.version, "production", { rollout: "immediate" });
  await expectServed(cut, cut.version);
});

test("no shadow comes or goes on an endpoint that is half moved, for the move could not end after it", async () => {
  const cut = await givenCutOff();
  const { given, shadowed, shadow, version } = cut;
  const requests = [
    act(given, "deploy", { model_version_id: shadowed, target_stage: "shadow" }),
    act(given, "remove", { deployment_id: shadow, removal_reason: "it costs too much" }),
  ];
  for (const request of requests) {
    const refused = await errorOf(request);
    expect(refused).toMatchObject({ code: "conflict", retryable: true });
    expect(refused.message).toContain("is being moved to");
  }
  given.passTime({ minutes: 1 });
  await given.worker.tick();
  await expectServed(cut, version);
  await act(given, "remove", { deployment_id: shadow, removal_reason: "it costs too much" });
});

test("whoever archives the candidate of a rollout that was cut off before it began takes nobody else's traffic", async () => {
  const given = await createTestDeployer();
  const first = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  given.wire.fail("router.apply", { times: 1 });
  const cut = await errorOf(deploy(given, version, "production"));
  expect(cut).toMatchObject({ code: "service_unavailable", retryable: true });
  const refused = await errorOf(
    act(given, "promote", { model_version_id: version, target_stage: "archived" }),
  );
  expect(refused).toMatchObject({ code: "conflict", retryable: true });

  given.passTime({ minutes: 1 });
  await given.worker.tick();
  const weights = (await given.router.observe(ENDPOINT, { signal }))?.weights;
  expect(weights?.[first.deployment]).toBe(90);
});
