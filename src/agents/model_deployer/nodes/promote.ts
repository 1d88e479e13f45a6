import { AgentError } from "../../base/agent_error.ts";
import { decidePromote, type PromoteFacts } from "../domain/decide_promote.ts";
import type { Endpoint, ModelVersion, ShadowEvidence } from "../domain/entities.ts";
import { endpointName } from "../domain/names.ts";
import type { PromoteRequest } from "../domain/requests.ts";
import { serving } from "../domain/weights.ts";
import type { EndpointManager } from "../endpoint_manager.ts";
import type { Planner } from "../operation_runner.ts";
import type { Database, Parts } from "../parts.ts";
import type { CallOptions } from "../ports.ts";
import { plannerFor } from "./planner.ts";

/** Moves a version to the next stage; production asks for every criterion and an approval. */
export function promotePlanner(parts: Parts, endpoints: EndpointManager): Planner {
  return plannerFor("promote", async (request, context, options) =>
    decidePromote(request, await gather(parts.database, endpoints, request, options), context),
  );
}

async function gather(
  database: Database,
  endpoints: EndpointManager,
  request: PromoteRequest,
  options: CallOptions,
): Promise<PromoteFacts> {
  const version = await database.modelVersions.get(request.model_version_id);
  if (version === null) return { ...nothingKnown, policy: await database.experiments.getGatePolicy("") };
  const { experiment_id } = version;
  const [experiment, policy, production, endpoint] = await Promise.all([
    database.experiments.get(experiment_id),
    database.experiments.getGatePolicy(experiment_id),
    database.modelVersions.getProduction(experiment_id),
    database.endpoints.get(endpointName(experiment_id, "production")),
  ]);
  const facts = { version, experiment, policy, production, endpoint };
  if (request.target_stage !== "production" && request.target_stage !== "archived") {
    return { ...facts, shadow: null, serving: [], notes: [] };
  }
  const [shadow, servingNow] = await Promise.all([
    shadowOf(database, endpoints, version, endpoint, options),
    servingVersions(database, endpoint),
  ]);
  return { ...facts, shadow: shadow.evidence, serving: servingNow, notes: shadow.notes };
}

const nothingKnown = {
  version: null,
  experiment: null,
  shadow: null,
  production: null,
  endpoint: null,
  serving: [],
  notes: [],
};

/** Evidence counts only while the router mirrors to this version's own active shadow. */
async function shadowOf(
  database: Database,
  endpoints: EndpointManager,
  version: ModelVersion,
  endpoint: Endpoint | null,
  options: CallOptions,
): Promise<{ evidence: ShadowEvidence | null; notes: string[] }> {
  const mirror = endpoint?.mirror_deployment_id ?? null;
  const deployment = mirror === null ? null : await database.deployments.get(mirror);
  if (
    endpoint === null ||
    deployment?.model_version_id !== version.model_version_id ||
    deployment.status !== "active"
  ) {
    return { evidence: null, notes: [] };
  }
  try {
    return { evidence: await endpoints.collectShadowEvidence(endpoint, options), notes: [] };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const note = `The router gave no figures, so the evidence collected before counts: ${error.message}`;
    return { evidence: await database.shadowEvidence.read(deployment.deployment_id), notes: [note] };
  }
}

async function servingVersions(
  database: Database,
  endpoint: Endpoint | null,
): Promise<PromoteFacts["serving"]> {
  const pairs = await Promise.all(
    serving(endpoint?.weights ?? {}).map(async (id) => {
      const deployment = await database.deployments.get(id);
      const version =
        deployment === null ? null : await database.modelVersions.get(deployment.model_version_id);
      return deployment === null || version === null ? null : { deployment, version };
    }),
  );
  return pairs.filter((pair) => pair !== null);
}
