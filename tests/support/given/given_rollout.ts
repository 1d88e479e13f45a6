import { expect } from "vitest";
import type { ModelDeployerAnswer } from "../../../src/agents/model_deployer/state/state.ts";
import {
  act,
  approve,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "./given_deployer.ts";

/** Three steps that need not be watched. */
export const rollout = { steps: [10, 50, 100].map((weight) => ({ weight, bake_seconds: 0 })) };

export interface GivenRollout extends GivenDeployer {
  old: string;
  candidate: string;
  version: string;
  rolloutId: string;
}

/** Version 2 has its first 10 % over version 1, as the worker has seen. */
export async function givenRollout(): Promise<GivenRollout> {
  const given = await givenDeployer();
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const manifest = await deploy(given, version, "production", { rollout });
  const rolloutId = manifest.rollout?.rollout_id ?? expect.fail("no rollout was begun");
  await lookNow(given);
  return { ...given, old, candidate: manifest.deployment_id, version, rolloutId };
}

type Control = "pause" | "resume" | "abort" | "promote_now" | "retry";
export const control = (given: GivenDeployer, action: Control, reason = "somebody asked") =>
  act(given, action, { endpoint_name: ENDPOINT, rollout_reason: reason });

/** Asks, is told that an approval is needed, has it approved, and asks again. */
export async function controlWithApproval(
  given: GivenDeployer,
  action: Control,
): Promise<ModelDeployerAnswer> {
  const request = { deployment_action: action, endpoint_name: ENDPOINT, rollout_reason: "it looks good" };
  const error = await errorOf(given.agent.execute(request));
  expect(error.code, error.message).toBe("approval_required");
  await approve(given, String(error.details["operation_id"]));
  return given.agent.execute(request);
}

async function lookNow(given: GivenDeployer) {
  await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp() where status = 'running'");
  return given.worker.tick();
}

/** The candidate answers well, the worker looks, and sees the route that comes of it. */
export async function look(given: GivenDeployer) {
  given.router.sendTraffic(ENDPOINT, 1000);
  const report = await lookNow(given);
  await lookNow(given);
  return report;
}

export const weights = async ({ db }: GivenDeployer) => (await db.endpoints.get(ENDPOINT))?.weights;
export const rolloutOf = async ({ db, rolloutId }: GivenRollout) =>
  (await db.rollouts.get(rolloutId)) ?? expect.fail("the rollout is gone");
export const stageOf = async ({ db }: GivenDeployer, version: string) =>
  (await db.modelVersions.get(version))?.stage;
export const eventsOf = async ({ db }: GivenDeployer) =>
  (await db.history.list(EXPERIMENT))
    .filter((event) => event.rollout_id !== null)
    .map((event) => `${event.kind} by ${event.changed_by}: ${event.reason}`);
