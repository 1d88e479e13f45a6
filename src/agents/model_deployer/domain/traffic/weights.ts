import type { Deployment, WeightSet } from "../entities.ts";
import type { Route } from "./rollout.ts";

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

/** Whether a deployment that is not finished has traffic already; without an open rollout, it was cut off there. */
export function isBegun({ status, deployment_id }: Deployment, weights: WeightSet): boolean {
  return status === "deploying" && (weights[deployment_id] ?? 0) > 0;
}

/**
 * Whether a deployment that has ended has traffic: a rollback that brings it back has set the route and is not
 * finished.
 */
export function isRollbackUnfinished({ status, deployment_id }: Deployment, weights: WeightSet): boolean {
  return (status === "rolled_back" || status === "draining") && (weights[deployment_id] ?? 0) > 0;
}

export const isRouted = (id: string, { weights, mirror_deployment_id: mirror }: Traffic): boolean =>
  (weights[id] ?? 0) > 0 || mirror === id;

export type Traffic = Pick<Route, "weights" | "mirror_deployment_id">;
