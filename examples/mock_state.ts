import assert from "node:assert/strict";
import { InvalidPromotionPathError } from "model-deployer/errors";
import { createTestDeployer, deployState, promoteState, seedVersion } from "model-deployer/testing";

const deployer = await createTestDeployer();
await seedVersion(deployer, { model_version_id: "mv_123", stage: "staging" });

const skipping = promoteState({ model_version_id: "mv_123", target_stage: "production" });
await assert.rejects(deployer.agent.execute(skipping), InvalidPromotionPathError);

deployer.wire.failStep("start_server", { times: 1 });
const state = deployState({ model_version_id: "mv_123" });
await assert.rejects(deployer.agent.execute(state), { code: "service_unavailable", retryable: true });

const { deployment_manifest } = await deployer.agent.execute(state);
assert.equal(deployment_manifest?.status, "active");
console.log(deployment_manifest.endpoint_url);
