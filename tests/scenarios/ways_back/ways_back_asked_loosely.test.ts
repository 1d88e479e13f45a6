import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  liveThread,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type Request,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../../support/decisions/followed.ts";

const rollBack = (given: TestDeployer, request: Request) =>
  act(given, "rollback", { rollback_reason: "callers get nonsense", ...request });

const weightsOf = async ({ database }: TestDeployer, endpoint = ENDPOINT) =>
  (await database.endpoints.get(endpoint))?.weights;

/** Two have served, the second one does; another endpoint, of staging, serves too. */
async function givenTwo() {
  const given = await createTestDeployer();
  const first = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id } = await deployAtOnce(given, version);
  const tried = await register(given, "run3");
  await promote(given, tried, "staging");
  const staging = await deploy(given, tried, "staging");
  return { given, first, second: { version, deployment: deployment_id }, staging };
}

const rolledBack = async ({ database }: TestDeployer) =>
  (await database.history.list("remission")).findLast(({ kind }) => kind === "rollback");

test("a deployment names its endpoint: one that a stale state names beside it is left alone, and the answer says so", async () => {
  const { given, first, second, staging } = await givenTwo();
  const asked = { current_deployment_id: second.deployment, endpoint_name: staging.endpoint_name };
  const { warnings, deployment_plan } = await rollBack(given, asked);
  const said = `endpoint_name ${staging.endpoint_name} was not looked at: ${second.deployment} is a deployment of ${ENDPOINT}.`;
  expect(warnings).toContain(said);
  expect(deployment_plan?.notes).toContain(said);
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
  expect(await weightsOf(given, staging.endpoint_name)).toEqual({ [staging.deployment_id]: 100 });
});

test("whatever else a stale state holds there is no reason to refuse, and asking again is the same request", async () => {
  const { given, first, second, staging } = await givenTwo();
  const asked = { current_deployment_id: second.deployment, request_id: "from-a-pipeline" };
  for (const endpoint_name of ["", "no such endpoint!", staging.endpoint_name, ENDPOINT]) {
    const { active_deployment_id, warnings } = await rollBack(given, { ...asked, endpoint_name });
    expect(active_deployment_id).toBe(first.deployment);
    expect(warnings?.join("\n") ?? "").not.toContain("was not looked at");
  }
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
});

test("a deployment that serves no longer does not stand in the way where nothing serves, and the answer says so", async () => {
  const { given, first, second } = await givenTwo();
  await promoteWithApproval(given, second.version, "archived");
  const asked = { current_deployment_id: second.deployment, rollback_to: first.version };
  const { warnings } = await rollBack(given, asked);
  expect(warnings?.join("\n")).toContain(
    `current_deployment_id ${second.deployment} was not looked at: it serves nothing of ${ENDPOINT}.`,
  );
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
});

test("words about what nobody has condemned make it look condemned nowhere, and the answer says so", async () => {
  const words = { condemned_because: "it was not its fault" };
  for (const by of ["name", "a step"] as const) {
    const { given, first, second } = await givenTwo();
    const asked =
      by === "name"
        ? { endpoint_name: ENDPOINT, rollback_to: first.deployment }
        : { current_deployment_id: second.deployment };
    const { warnings } = await rollBack(given, { ...asked, ...words });
    const told = warnings?.join("\n") ?? "";
    expect(told).toContain("condemned_because was not needed, and the history does not have it");
    expect(told).not.toContain("It serves again because");
    expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
    expect((await rolledBack(given))?.evidence["condemned_because"] ?? null).toBeNull();
    await given.worker.tick();
    expect(JSON.stringify(given.episodicMemory.episodes)).not.toContain(words.condemned_because);
  }
});

test("words about what was condemned stand in the history", async () => {
  const { given, second } = await givenTwo();
  await rollBack(given, { endpoint_name: ENDPOINT });
  const words = { condemned_because: "it was not its fault" };
  const { warnings } = await rollBack(given, {
    endpoint_name: ENDPOINT,
    rollback_to: second.deployment,
    ...words,
  });
  expect(warnings?.join("\n")).not.toContain("was not needed");
  expect((await rolledBack(given))?.evidence).toMatchObject(words);
});

test("where production was archived, its servers removed and its address closed, each version comes back", async () => {
  for (const to of ["first", "second", "nobody"] as const) {
    const { given, first, second } = await givenTwo();
    await promoteWithApproval(given, second.version, "archived");
    given.passTime({ hours: 2 });
    await given.worker.tick();
    for (const { deployment } of [first, second]) {
      expect(await given.server.observe(deployment, { signal: new AbortController().signal })).toMatchObject({
        state: "absent",
      });
    }
    const named = { first, second, nobody: undefined }[to];
    await rollBack(given, {
      endpoint_name: ENDPOINT,
      ...(named === undefined ? {} : { rollback_to: named.version }),
    });
    const { deployment } = named ?? second;
    expect(await weightsOf(given)).toEqual({ [deployment]: 100 });
    const route = await given.router.observe(ENDPOINT, { signal: new AbortController().signal });
    expect(route).toMatchObject({ weights: { [deployment]: 100 } });
    await given.worker.tick();
    expect(await weightsOf(given)).toEqual({ [deployment]: 100 });
  }
});

test("one whose endpoint of staging was removed is no way back, and the refusal says what leads on", async () => {
  const { given, first, staging } = await givenTwo();
  await act(given, "remove", { deployment_id: staging.deployment_id, removal_reason: "it was tried" });
  expect(await weightsOf(given, staging.endpoint_name)).toEqual({});
  for (const asked of [
    { endpoint_name: ENDPOINT, rollback_to: staging.deployment_id },
    { endpoint_name: staging.endpoint_name, rollback_to: staging.deployment_id },
    { endpoint_name: staging.endpoint_name },
    { current_deployment_id: staging.deployment_id },
  ]) {
    const refused = await errorOf(rollBack(given, asked));
    expect(refused, JSON.stringify(asked)).toMatchObject({ code: "rollback_failed", retryable: false });
    for (const way of refused.next) {
      const outcome = await given.agent.execute(modelDeployerRequestOf(way)).catch((error: unknown) => error);
      expect(outcome, `${JSON.stringify(asked)}: ${way.command}`).not.toMatchObject({
        code: refused.code,
        message: refused.message,
      });
    }
  }
  expect([first.deployment]).toContain(Object.keys((await weightsOf(given)) ?? {})[0]);
});

test("a bento that was pruned is built again from the files of its version, and the plan says so", async () => {
  const { given, first } = await givenTwo();
  given.passTime({ hours: 2 });
  await given.worker.tick();
  const tag = (await given.database.deployments.get(first.deployment))?.bento_tag ?? "";
  given.packager.lose(tag);
  const asked = { endpoint_name: ENDPOINT, rollback_to: first.version };
  const looked = await given.graph.invoke(
    { deployment_action: "rollback", rollback_reason: "callers get nonsense", ...asked },
    { ...liveThread(), context: { effects: "dry-run" } },
  );
  expect(looked.warnings?.join("\n")).toContain(`The bento ${tag} is gone and is built again from`);
  await rollBack(given, asked);
  expect(await given.packager.findPackage(tag)).not.toBeNull();
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
});
