import { expect, test } from "vitest";
import { findingOfEngines } from "../../../../src/cli/commands/doctor/doctor_engines.ts";
import { STANDARD_GATE_POLICY } from "../../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { createTestDeployer, EXPERIMENT } from "../../../../src/testing/index.ts";
import { readConfiguration } from "../../../../src/wiring/settings/configuration.ts";

const cloud = { BENTO_CLOUD_API_ENDPOINT: "https://team.example.org", BENTO_CLOUD_API_KEY: "a-long-secret" };
const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;

test("doctor names the engines that are configured, what policies choose, and what they lack", async () => {
  const { database } = await createTestDeployer();
  const local = readConfiguration({});
  expect(await findingOfEngines(database, local)).toEqual({ state: "ok", found: "local", advice: null });
  const engines = { production: "bentocloud" as const };
  await database.experiments.setGatePolicy(EXPERIMENT, { ...standard, engines, reason: "more room" }, "ana");
  const both = readConfiguration({ MODEL_DEPLOYER_ENGINE: "local,bentocloud", ...cloud });
  expect(await findingOfEngines(database, both)).toMatchObject({
    state: "ok",
    found: `local, and bentocloud where a policy says so: ${EXPERIMENT} production on bentocloud`,
  });
  const lacking = await findingOfEngines(database, local);
  expect(lacking.state).toBe("degraded");
  expect(lacking.found).toContain("MODEL_DEPLOYER_ENGINE=local,bentocloud");
  expect(lacking.advice).toContain(`policy set ${EXPERIMENT} --engine production=usual`);
});
