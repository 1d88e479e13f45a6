import type { WeightSet } from "../entities.ts";
import type { RolloutPlan, RolloutStep } from "./rollout.ts";

/** The deployments that the new one replaces, and the traffic at the action's end. */
export interface PlannedTraffic {
  weights: WeightSet;
  mirror: string | null;
  /** Deployments that end with this one. */
  replaced: { deployment_id: string; keep_warm_seconds: number }[];
  baseline: string | null;
  /** A rollout in steps, the first of which has less than all traffic; null otherwise. */
  rollout: RolloutPlan | null;
  /** The steps as they were asked for; empty where nothing is rolled out. */
  asked_steps: RolloutStep[];
  /** The single step of a deployment that replaces its baseline at once; null otherwise. */
  at_once: RolloutPlan | null;
  /** Why the rollout is more careful than asked for, and by how much; null when it is not. */
  care: string | null;
}
