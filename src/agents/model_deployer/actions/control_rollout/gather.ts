import { decideRetry } from "./retry.ts";
import type { RetryFacts, RolloutControlFacts } from "./facts.ts";
import { decideAbort, decidePause, decideResume } from "./decide.ts";
import { decidePromoteNow } from "./promote_now.ts";
import type { Deployment } from "../../domain/entities.ts";
import type { Decision } from "../../domain/plan.ts";
import type { DecisionContext, RolloutControlRequest } from "../../domain/requests.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import { type Planner, plannerFor } from "../planner.ts";
import type { Database, Parts, Settings } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import { gatherDeploy } from "../deploy/gather.ts";
import { gatherRollback } from "../rollback/gather.ts";

type Controls = Record<RolloutControlRequest["action"], Planner>;

/** The controls of a rollout: pause, resume, abort, promote now, retry. */
export function rolloutControlPlanners(
  parts: Parts,
  endpoints: EndpointManager,
  settings: Settings,
): Controls {
  type Decide = (
    request: RolloutControlRequest,
    facts: RolloutControlFacts,
    context: DecisionContext,
  ) => Decision;
  const controlled =
    (decide: Decide) =>
    async (request: RolloutControlRequest, context: DecisionContext, options: CallOptions) =>
      decide(request, await gather(parts.database, endpoints, settings, request, options), context);
  return {
    pause: plannerFor("pause", controlled(decidePause)),
    resume: plannerFor("resume", controlled(decideResume)),
    abort: plannerFor("abort", controlled(decideAbort)),
    promote_now: plannerFor("promote_now", controlled(decidePromoteNow)),
    retry: plannerFor("retry", async (request, context, options) =>
      decideRetry(request, await gatherRetry(parts, endpoints, settings, request, context, options), context),
    ),
  };
}

async function rolloutOf(
  database: Database,
  { rollout_id, endpoint_name }: RolloutControlRequest,
): Promise<Rollout | null> {
  if (rollout_id !== null) return database.rollouts.get(rollout_id);
  return database.history.lastRollout(endpoint_name ?? "");
}

async function gather(
  database: Database,
  endpoints: EndpointManager,
  settings: Settings,
  request: RolloutControlRequest,
  options: CallOptions,
): Promise<RolloutControlFacts> {
  const rollout = await rolloutOf(database, request);
  const [policy, back] = await Promise.all([
    database.experiments.getGatePolicy(rollout?.experiment_id ?? ""),
    gatherRollback(database, endpoints, rollout?.deployment_id ?? "", options),
  ]);
  const { current } = back;
  const asksForReadiness = request.action === "promote_now" && current !== null;
  const candidate_is_ready =
    asksForReadiness &&
    (await endpoints.servers.readyServers(current.deployment_id, current.bento_tag, options)) !== null;
  const { retention_seconds } = settings;
  return { ...back, rollout, policy, candidate_is_ready, retention_seconds };
}

async function gatherRetry(
  parts: Parts,
  endpoints: EndpointManager,
  settings: Settings,
  request: RolloutControlRequest,
  context: DecisionContext,
  options: CallOptions,
): Promise<RetryFacts> {
  const { database } = parts;
  const rollout = await rolloutOf(database, request);
  const candidate = rollout === null ? null : await database.deployments.get(rollout.deployment_id);
  const model_version_id = candidate?.model_version_id ?? "";
  const experiment_id = rollout?.experiment_id ?? "";
  const deployed = { model_version_id, target_stage: "production" as const };
  const [deploy, experiment, production, since, shadow] = await Promise.all([
    gatherDeploy(parts, endpoints, settings, deployed, context, options),
    database.experiments.get(experiment_id),
    database.modelVersions.getProduction(experiment_id),
    cameSince(database, experiment_id, candidate),
    database.history.promotionEvidence(model_version_id),
  ]);
  return { ...deploy, rollout, candidate, experiment, production, since, shadow };
}

async function cameSince(
  { history }: Database,
  experimentId: string,
  candidate: Deployment | null,
): Promise<RetryFacts["since"]> {
  const events = await history.list(experimentId);
  return events.flatMap(({ model_version_id, occurred_at, to_stage }) => {
    const isOther = model_version_id !== null && model_version_id !== candidate?.model_version_id;
    const isLater = Date.parse(occurred_at) >= Date.parse(candidate?.rolled_back_at ?? occurred_at);
    return isOther && to_stage === "production" && isLater ? [{ model_version_id, occurred_at }] : [];
  });
}
