import { z } from "zod";
import {
  type Deployment,
  deploymentSchema,
  type Endpoint,
  endpointSchema,
  instantSchema,
  type ModelVersion,
  modelVersionSchema,
} from "../entities.ts";
import type { Restarts } from "../servers/server_restarts.ts";
import { verdictSchema } from "../evidence/judgement.ts";
import { isGoingBack, type Rollout, rolloutSchema } from "./rollout.ts";
import { isRollbackUnfinished } from "./weights.ts";

/** Why a version left production the last time, and who said so. */
export const departureSchema = z.strictObject({
  kind: z.enum(["promotion", "supersession", "rollback", "archival"]),
  reason: z.string(),
  changed_by: z.string(),
  occurred_at: instantSchema,
  /** A judge's last word on it; null where none had. */
  verdict: verdictSchema.nullable(),
});
export type Departure = z.infer<typeof departureSchema>;

/** Who brought a deployment back, and why. */
export const returnSchema = z.strictObject({
  reason: z.string(),
  changed_by: z.string(),
  occurred_at: instantSchema,
});

/** A production deployment that has traffic, or has had some. */
export const servedBeforeSchema = z.strictObject({
  deployment: deploymentSchema,
  version: modelVersionSchema,
  /** Null while its version is at production. */
  departure: departureSchema.nullable(),
  /** Its rollout was stopped while no judge had found it bad, and it has had no traffic since. */
  was_only_stopped: z.boolean(),
  /** The last time that a rollback by name, or to what served last, gave it all traffic; null where none has. */
  returned: returnSchema.nullable(),
  /** Somebody is stopping its server at this moment. */
  is_stopping: z.boolean(),
});
export type ServedBefore = z.infer<typeof servedBeforeSchema>;

/** All that an endpoint could go back to, seen at one moment. */
export const waysBackSchema = z.strictObject({
  endpoint: endpointSchema,
  /** The version at production by stage. */
  production: modelVersionSchema.nullable(),
  open_rollout: rolloutSchema.nullable(),
  /** Each that has served, the last one first; none that failed before it was served. */
  served: z.array(servedBeforeSchema),
});
export type WaysBack = z.infer<typeof waysBackSchema>;

/** A judge or a person has said that it is bad; that a rollout was stopped or superseded says no such thing. */
export function isCondemned({ deployment, was_only_stopped }: ServedBefore): boolean {
  return deployment.status === "rolled_back" && !was_only_stopped;
}

/** The deployment that an unfinished rollback brings back: its route is set, and its end is not recorded yet. */
export function unfinishedRollback({ endpoint, served, open_rollout: open }: WaysBack): ServedBefore | null {
  if (open !== null) return null;
  return served.find(({ deployment }) => isRollbackUnfinished(deployment, endpoint.weights)) ?? null;
}

/** Whether an unfinished rollback takes the traffic from this one. */
export function isBeingLeft({ deployment }: ServedBefore, ways: WaysBack): boolean {
  const { endpoint, open_rollout: open } = ways;
  if ((endpoint.weights[deployment.deployment_id] ?? 0) > 0) return false;
  if (open?.deployment_id === deployment.deployment_id) return isGoingBack(open);
  return deployment.status === "active" && unfinishedRollback(ways) !== null;
}

/** Whether the request that brings it back has to say why it may serve again. */
export const needsReason = (one: ServedBefore, ways: WaysBack): boolean =>
  isCondemned(one) || isBeingLeft(one, ways);

/** The database's facts on the way back from one deployment, seen at one moment. */
export interface StoredRollbackFacts {
  current: Deployment;
  current_version: ModelVersion | null;
  endpoint: Endpoint | null;
  /** That of `Deployments.getPreviousProduction`. */
  previous: Deployment | null;
  previous_version: ModelVersion | null;
  open_rollout: Rollout | null;
  /** The completed rollout that had given the current deployment all traffic. */
  completed_rollout: Rollout | null;
  /** Null unless the last restart of the previous deployment's server failed. */
  previous_restarts: Restarts | null;
  /** Somebody is stopping the previous one's server at this moment. */
  previous_is_stopping: boolean;
}
