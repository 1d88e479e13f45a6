import type { Deployment, Endpoint, GatePolicy, ModelVersion, WeightSet } from "./entities.ts";
import type { DeployRequest } from "./requests.ts";
import type { Rollout, VersionFigures } from "./rollout.ts";
import { planRollout, type RolloutPlan } from "./rollout_plan.ts";
import { allTo, serving, split } from "./weights.ts";

export interface DeployFacts {
  version: ModelVersion | null;
  /** The endpoint that the target stage is served at; null until its first deployment. */
  endpoint: Endpoint | null;
  /** Deployments of that endpoint, newest first. */
  deployments: Deployment[];
  open_rollout: Rollout | null;
  figures: VersionFigures[];
  policy: GatePolicy;
  /** How long a replaced production deployment stays warm. */
  retention_seconds: number;
}

/** What the new deployment replaces and how traffic is to be when the action ends. */
export interface PlannedTraffic {
  weights: WeightSet;
  mirror: string | null;
  /** Deployments that end with this one. */
  replaced: { deployment_id: string; keep_warm_seconds: number }[];
  baseline: string | null;
  rollout: RolloutPlan | null;
}

export function planTraffic(request: DeployRequest, facts: DeployFacts, id: string): PlannedTraffic {
  const endpoint = facts.endpoint;
  const weights = endpoint?.weights ?? {};
  const mirror = endpoint?.mirror_deployment_id ?? null;
  const current = serving(weights);
  const gone = (ids: (string | null)[], keepWarmSeconds: number) =>
    ids
      .filter((one) => one !== null)
      .map((one) => ({ deployment_id: one, keep_warm_seconds: keepWarmSeconds }));
  if (request.target_stage === "staging") {
    return { weights: allTo(id), mirror: null, replaced: gone(current, 0), baseline: null, rollout: null };
  }
  if (request.target_stage === "shadow") {
    return { weights, mirror: id, replaced: gone([mirror], 0), baseline: null, rollout: null };
  }
  const ownShadow = facts.deployments.find(
    (one) => one.deployment_id === mirror && one.model_version_id === request.model_version_id,
  );
  const shadowEnds = gone([ownShadow?.deployment_id ?? null], 0);
  const mirrorAfter = ownShadow === undefined ? mirror : null;
  const baseline = current[0] ?? null;
  if (baseline === null) {
    return { weights: allTo(id), mirror: mirrorAfter, replaced: shadowEnds, baseline, rollout: null };
  }
  const rollout = planRollout(request.rollout);
  const firstWeight = rollout.steps[0]?.weight ?? 100;
  if (firstWeight === 100) {
    const replaced = [...shadowEnds, ...gone([baseline], facts.retention_seconds)];
    return { weights: allTo(id), mirror: mirrorAfter, replaced, baseline, rollout: null };
  }
  return {
    weights: split(baseline, id, firstWeight),
    mirror: mirrorAfter,
    replaced: shadowEnds,
    baseline,
    rollout,
  };
}
