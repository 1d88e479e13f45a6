import { expect, test } from "vitest";
import {
  act,
  ENDPOINT,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  promoteWithApproval,
} from "../../../support/given/given_deployer.ts";
import { control, givenRollout, look, weights } from "../../../support/given/given_rollout.ts";

const rollback = (given: GivenDeployer, deployment: string) =>
  act(given, "rollback", { current_deployment_id: deployment, rollback_reason: "wrong scores" });

async function lastEvent({ db }: GivenDeployer, kind: string) {
  const event = (await db.history.list(EXPERIMENT)).findLast((one) => one.kind === kind);
  return event ?? expect.fail(`nothing of the kind ${kind} has happened`);
}

test("a rollback by hand keeps what both versions had answered at that moment, with nobody having looked", async () => {
  const given = await givenRollout();
  await look(given);
  await look(given);
  given.router.sendTraffic(ENDPOINT, 200, { [given.candidate]: { error_rate: 0.25 } });
  const figures = await given.router.figures(ENDPOINT, { signal: AbortSignal.timeout(120_000) });
  const { requests = 0, errors = 0 } = figures.find((one) => one.deployment_id === given.candidate) ?? {};
  await rollback(given, given.candidate);
  expect(errors).toBe(50);
  const live_figures = { candidate: { requests, errors } };
  expect(await lastEvent(given, "traffic")).toMatchObject({
    metrics: { candidate_requests: requests, candidate_errors: errors },
    evidence: { live_figures },
  });
  expect(await lastEvent(given, "rollback")).toMatchObject({ evidence: { live_figures } });
});

test("who pauses a rollout leaves the figures of that moment, and not of the judge's last look", async () => {
  const given = await givenRollout();
  given.router.sendTraffic(ENDPOINT, 1000, { [given.candidate]: { error_rate: 0.31 } });
  await control(given, "pause");
  expect((await lastEvent(given, "rollout_paused")).metrics).toMatchObject({
    candidate_requests: 100,
    candidate_errors: 31,
    baseline_requests: 900,
    baseline_errors: 0,
  });
});

test("what is archived while it serves leaves what it had answered by then", async () => {
  const given = await givenDeployer();
  const { version, deployment } = await givenInProduction(given, "run1");
  given.router.sendTraffic(ENDPOINT, 300, { [deployment]: { error_rate: 0.1 } });
  const figures = await given.router.figures(ENDPOINT, { signal: AbortSignal.timeout(120_000) });
  const { requests = 0, errors = 0 } = figures.find((one) => one.deployment_id === deployment) ?? {};
  await promoteWithApproval(given, version, "archived");
  expect(errors).toBe(30);
  const live_figures = { candidate: { deployment_id: deployment, requests, errors }, baseline: null };
  expect(await lastEvent(given, "archival")).toMatchObject({ evidence: { live_figures } });
  expect(await lastEvent(given, "traffic")).toMatchObject({
    metrics: { candidate_requests: requests, candidate_errors: errors },
    evidence: { live_figures },
  });
});

test("a rollback does not wait for figures that do not come, and the answer and the history name them", async () => {
  const given = await givenRollout();
  given.wire.hang("router.figures");
  const state = await rollback(given, given.candidate);
  expect(state.warnings?.join()).toContain("no live figures of this moment: router.figures gave no answer");
  expect(await weights(given)).toEqual({ [given.old]: 100 });
  for (const kind of ["traffic", "rollout_rolled_back"]) {
    expect((await lastEvent(given, kind)).evidence).toMatchObject({
      live_figures: null,
      live_figures_missing: "router.figures gave no answer in time",
    });
  }
});
