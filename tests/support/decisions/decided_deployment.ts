import { decideDeploy } from "../../../src/agents/model_deployer/actions/deploy/decide.ts";
import type { Decision } from "../../../src/agents/model_deployer/domain/plan.ts";
import type { DeployFacts } from "../../../src/agents/model_deployer/actions/deploy/facts.ts";
import type { DeployRequest } from "../../../src/agents/model_deployer/domain/requests.ts";
import { aVersion, context, deployFacts } from "../given/given_facts.ts";

/** The decision on a request to deploy version 2, where nothing serves yet unless given. */
export function decideOn(
  stage: DeployRequest["target_stage"],
  facts: Partial<DeployFacts> = {},
  request: Partial<DeployRequest> = {},
): Decision {
  const asked: DeployRequest = {
    action: "deploy",
    model_version_id: "mv_2",
    target_stage: stage,
    replicas: 2,
    cpu_limit: "500m",
    memory_limit: "1Gi",
    autoscaling: { min: 1, max: 3, target_cpu: 60 },
    rollout: "linear",
    ...request,
  };
  const idle = { version: aVersion(2, { stage }), endpoint: null, deployments: [] };
  return decideDeploy(asked, deployFacts({ ...idle, ...facts }), context);
}
