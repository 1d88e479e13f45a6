import { AgentError } from "../../../base/agent_error.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import type { DeployRequest } from "../../domain/requests.ts";
import { serving } from "../../domain/traffic/weights.ts";
import { endpointName } from "../../domain/values/names.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import type { Parts } from "../../ports/parts.ts";
import type { StagedVersion } from "./facts.ts";

/** The version's deployment that serves staging alone, while it is to be deployed at another stage. */
export async function gatherStaged(
  { database, predictionLogs }: Pick<Parts, "database" | "predictionLogs">,
  endpoints: EndpointManager,
  { target_stage }: Pick<DeployRequest, "target_stage">,
  version: ModelVersion | null,
  options: CallOptions,
): Promise<StagedVersion | null> {
  if (target_stage === "staging" || version === null) return null;
  const { model_version_id, experiment_id } = version;
  const endpoint = await database.endpoints.get(endpointName(experiment_id, "staging"));
  const [id, ...others] = serving(endpoint?.weights ?? {});
  if (endpoint === null || id === undefined || others.length > 0) return null;
  const deployment = await database.deployments.get(id);
  if (deployment?.model_version_id !== model_version_id || deployment.status !== "active") return null;
  const is_asked = await isAsked(deployment, { predictionLogs, endpoints }, options);
  return { endpoint, deployment, is_asked };
}

/** The router's counts begin anew with the router, and the log has this deployment's requests alone: both are asked. */
async function isAsked(
  { deployment_id, endpoint_name }: Deployment,
  { predictionLogs, endpoints }: Pick<Parts, "predictionLogs"> & { endpoints: EndpointManager },
  options: CallOptions,
): Promise<boolean> {
  try {
    const [figures, { predictions }] = await Promise.all([
      endpoints.figures(endpoint_name, options),
      predictionLogs.read(deployment_id, null, { ...options, with_failures: true }),
    ]);
    return predictions.length > 0 || figures.some(({ requests }) => requests > 0);
  } catch (error) {
    if (!(error instanceof AgentError) || options.signal.aborted) throw error;
    return true;
  }
}
