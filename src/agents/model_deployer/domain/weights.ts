import type { Deployment, WeightSet } from "./entities.ts";

/** All traffic to one deployment. */
export function allTo(deploymentId: string): WeightSet {
  return { [deploymentId]: 100 };
}

/** The candidate's share, the rest to the baseline; a side with no share is left out. */
export function split(baselineId: string, candidateId: string, candidateWeight: number): WeightSet {
  if (candidateWeight >= 100) return allTo(candidateId);
  if (candidateWeight <= 0) return allTo(baselineId);
  return { [baselineId]: 100 - candidateWeight, [candidateId]: candidateWeight };
}

export function sumOf(weights: WeightSet): number {
  return Object.values(weights).reduce((sum, weight) => sum + weight, 0);
}

/** Deployments that get traffic, the largest share first. */
export function serving(weights: WeightSet): string[] {
  return Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .sort(([, a], [, b]) => b - a)
    .map(([deploymentId]) => deploymentId);
}

/** It is being made and has traffic already: where no rollout tells of it, it was cut off in between. */
export function isBegun({ status, deployment_id }: Deployment, weights: WeightSet): boolean {
  return status === "deploying" && (weights[deployment_id] ?? 0) > 0;
}
