import { expect } from "vitest";
import {
  approve,
  deploy,
  deployAtOnce,
  errorOf,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promote,
  promoteWithApproval,
  register,
} from "../../../support/deployer.ts";
import type { Deed } from "../children/protocol.ts";
import type { Carrier } from "../scenario.ts";

export const asked = (action: string, request: Record<string, unknown>): Deed => ({
  does: "request",
  request: { deployment_action: action, request_id: "the-one-that-is-killed", ...request },
});

/** Whoever may approve does so as soon as something waits for it. */
export async function approveWhatWaits(given: Carrier): Promise<void> {
  const waiting = await given.world.sql(
    `select operation_id from ml_operations o where status = 'awaiting_approval'
       and not exists (
         select from ml_approvals a where a.operation_id = o.operation_id and a.expires_at > clock_timestamp()
       )`,
  );
  for (const row of waiting) await approve(given, String(row["operation_id"]));
}

/** Asks once and has it approved, so that the process that is killed is the one that carries it out. */
export async function approved(given: Carrier, deed: Deed): Promise<Deed> {
  if (deed.does === "request") {
    const request = { ...deed.request, deployment_action: String(deed.request["deployment_action"]) };
    const error = await errorOf(given.agent.execute(request));
    expect(error.code).toBe("approval_required");
    await approveWhatWaits(given);
  }
  return deed;
}

/** Such as ask for no bound, so that each look at good answers takes one. */
export const threeSteps = {
  judge: { margin: 1 },
  steps: [
    { weight: 10, bake_seconds: 0 },
    { weight: 50, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ],
};

export async function givenAt(given: GivenDeployer, run: string, ...stages: string[]): Promise<string> {
  const version = await register(given, run);
  for (const stage of stages) await promote(given, version, stage);
  return version;
}

/** A version at the shadow whose server still runs at staging. */
export async function givenStaged(given: GivenDeployer, run: string): Promise<string> {
  const version = await givenAt(given, run, "staging");
  await deploy(given, version, "staging");
  await promote(given, version, "shadow");
  return version;
}

/** Version 1 serves production, and version 2 may. */
export async function givenTwo(given: GivenDeployer) {
  const { deployment: old, version: first } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return { old, first, version };
}

/** Version 2 has taken version 1's place at once; version 1 is kept warm. */
export async function givenReplaced(given: GivenDeployer) {
  const { old, version } = await givenTwo(given);
  const { deployment_id: bad } = await deployAtOnce(given, version);
  return { old, bad, version };
}

export async function givenRollout(given: GivenDeployer) {
  const { old, version } = await givenTwo(given);
  const { deployment_id: candidate } = await deploy(given, version, "production", { rollout: threeSteps });
  await looksAreDue(given);
  await given.worker.tick();
  return { old, candidate };
}

export async function looksAreDue(given: GivenDeployer): Promise<void> {
  await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp() where status = 'running'");
}
