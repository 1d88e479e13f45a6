import { decideRetry, type RetryFacts } from "../domain/decide_retry.ts";
import {
  decideAbort,
  decidePause,
  decidePromoteNow,
  decideResume,
} from "../domain/decide_rollout_control.ts";
import type { Decision } from "../domain/plan.ts";
import type { RolloutControlFacts } from "../domain/rollout_control.ts";
import type { DecisionContext, RolloutControlRequest } from "../domain/requests.ts";
import type { Rollout } from "../domain/rollout.ts";
import type { EndpointManager } from "../endpoint_manager.ts";
import type { Planner } from "../operation_runner.ts";
import type { Database, Parts, Settings } from "../parts.ts";
import type { CallOptions } from "../ports.ts";
import { gatherDeploy } from "./deploy.ts";
import { plannerFor } from "./planner.ts";
import { gatherRollback } from "./rollback.ts";

type Controls = Record<RolloutControlRequest["action"], Planner>;

/** What a person does with a rollout: pause, resume, abort, promote now, retry. */
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
    asksForReadiness && (await endpoints.isReady(current.deployment_id, current.bento_tag, options));
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
  const [deploy, last, experiment, production, baseline, shadow] = await Promise.all([
    gatherDeploy(parts, endpoints, settings, deployed, context, options),
    database.history.lastRollout(rollout?.endpoint_name ?? ""),
    database.experiments.get(experiment_id),
    database.modelVersions.getProduction(experiment_id),
    database.deployments.get(rollout?.baseline_deployment_id ?? ""),
    database.history.promotionEvidence(model_version_id),
  ]);
  const baseline_version_id = baseline?.model_version_id ?? null;
  return { ...deploy, rollout, last, candidate, experiment, production, baseline_version_id, shadow };
}
