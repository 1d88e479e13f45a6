import type { z } from "zod";
import type { Deployment } from "../../agents/model_deployer/domain/entities.ts";
import type { GatePolicy } from "../../agents/model_deployer/domain/models/gate_policy.ts";
import {
  ENDPOINT_STAGES,
  engineFor,
  engineOf,
  type InstalledEngines,
} from "../../agents/model_deployer/domain/servers/engines.ts";
import { isRouted } from "../../agents/model_deployer/domain/traffic/weights.ts";
import { endpointName } from "../../agents/model_deployer/domain/values/names.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { policyReportSchema } from "./policy_schemas.ts";

type Stores = Pick<DeployerDatabase, "endpoints" | "deployments">;

/** Deployments with traffic that serve on another engine than the policy gives to new ones. */
export async function onOtherEngines(
  experimentId: string,
  policy: GatePolicy,
  installed: InstalledEngines,
  stores: Stores,
): Promise<z.infer<typeof policyReportSchema>["deployments_on_other_engines"]> {
  const serving = await servingOf(experimentId, stores);
  return serving.flatMap((one) => {
    const engine = engineOf(one, installed);
    const { deployment_id, target_stage } = one;
    const isThere = engine === engineFor(target_stage, policy, installed);
    return isThere ? [] : [{ deployment_id, target_stage, engine }];
  });
}

async function servingOf(experimentId: string, { endpoints, deployments }: Stores): Promise<Deployment[]> {
  const served = ENDPOINT_STAGES.map(async (stage) => {
    const endpoint = await endpoints.get(endpointName(experimentId, stage));
    if (endpoint === null) return [];
    const all = await deployments.listForEndpoint(endpoint.endpoint_name);
    return all.filter(({ deployment_id: id }) => isRouted(id, endpoint));
  });
  return (await Promise.all(served)).flat();
}
