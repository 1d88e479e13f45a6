import type { AgentError } from "../../../base/agent_error.ts";
import { decidePromote } from "./decide.ts";
import { type PromoteFacts } from "./facts.ts";
import type { Endpoint, ModelVersion } from "../../domain/entities.ts";
import { endpointName } from "../../domain/values/names.ts";
import type { PromoteRequest } from "../../domain/requests.ts";
import { serving } from "../../domain/traffic/weights.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import { type Planner, plannerFor, type PlanOptions } from "../planner.ts";
import type { Database, Parts } from "../../ports/parts.ts";
import { notEnded } from "../rollback/ended_version.ts";
import { gatherVulnerabilities } from "../deploy/gather_vulnerabilities.ts";
import { gatherEnded } from "../rollback/gather_ended.ts";
import { gatherRollback } from "../rollback/gather.ts";
import { requireEvidence, gatherShadow } from "./gather_shadow.ts";

/** Moves a version to the next stage; production asks for every criterion and an approval. */
export function promotePlanner(parts: Parts, endpoints: EndpointManager): Planner {
  return plannerFor("promote", async (request, context, options) => {
    const { facts, failure } = await gather(parts, endpoints, request, options);
    const decision = decidePromote(request, facts, context);
    requireEvidence(decision, failure);
    return decision;
  });
}

async function gather(
  { database, ...parts }: Pick<Parts, "database" | "packager" | "vulnerabilities">,
  endpoints: EndpointManager,
  request: PromoteRequest,
  options: PlanOptions,
): Promise<{ facts: PromoteFacts; failure: AgentError | null }> {
  const version = await database.modelVersions.get(request.model_version_id);
  if (version === null) {
    const policy = await database.experiments.getGatePolicy("");
    return { facts: { ...nothingKnown, policy }, failure: null };
  }
  const known = await gatherKnown(database, version);
  const { endpoint, open_rollout } = known;
  const toProduction = request.target_stage === "production";
  const way_back =
    toProduction && open_rollout !== null
      ? await gatherRollback(database, endpoints, open_rollout.deployment_id, options)
      : null;
  const vulnerabilities = toProduction
    ? await gatherVulnerabilities(parts, version, options)
    : nothingKnown.vulnerabilities;
  const facts = { ...known, way_back, vulnerabilities };
  const isArchival = request.target_stage === "archived";
  if (!toProduction && !isArchival) {
    return { facts: { ...facts, shadow: null, serving: [], live: notRead, notes: [] }, failure: null };
  }
  const [shadow, servingNow, live] = await Promise.all([
    gatherShadow(database, endpoints, version, endpoint, options),
    servingVersions(database, endpoint),
    isArchival && endpoint !== null ? endpoints.liveFigures(endpoint.endpoint_name, options) : notRead,
  ]);
  const { evidence, notes, failure } = shadow;
  return { facts: { ...facts, shadow: evidence, serving: servingNow, live, notes }, failure };
}

/** Facts of the version and of production that the database alone knows. */
async function gatherKnown(database: Database, version: ModelVersion) {
  const { experiment_id } = version;
  const name = endpointName(experiment_id, "production");
  const [experiment, policy, production, endpoint, open_rollout] = await Promise.all([
    database.experiments.get(experiment_id),
    database.experiments.getGatePolicy(experiment_id),
    database.modelVersions.getProduction(experiment_id),
    database.endpoints.get(name),
    database.rollouts.getOpen(name),
  ]);
  const ended = await gatherEnded(database, version);
  return { version, experiment, policy, production, endpoint, open_rollout, ended };
}

const notRead = { missing: "nobody asked the router for them" };

const nothingKnown = {
  version: null,
  experiment: null,
  shadow: null,
  production: null,
  endpoint: null,
  serving: [],
  open_rollout: null,
  way_back: null,
  ended: notEnded,
  live: notRead,
  notes: [],
  vulnerabilities: { known: "unset", why: "nobody asked for them" },
} satisfies Omit<PromoteFacts, "policy">;

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
