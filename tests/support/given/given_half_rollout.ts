import {
  deploy,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const STEPS = [
  { weight: 50, bake_seconds: 3600 },
  { weight: 100, bake_seconds: 0 },
];

/** Version 1 serves production; version 2, its fix, may. */
export async function givenFix(given: TestDeployer) {
  const { deployment: former } = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return { former, version };
}

/** Version 1 has half of the traffic, its fix the other half. */
export async function givenHalfRollout(given: TestDeployer) {
  const { former: baseline, version } = await givenFix(given);
  const { deployment_id: candidate } = await deploy(given, version, "production", {
    rollout: { steps: STEPS },
  });
  await given.worker.tick();
  return { baseline, candidate };
}
