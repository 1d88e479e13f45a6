import type { Deployment } from "../../domain/entities.ts";
import type { RolloutPlan, RolloutStep } from "../../domain/traffic/rollout.ts";

/** The outcomes of a model family's rollouts in memory, however long ago. */
export interface Experience {
  rollbacks: number;
  completed_rollouts: number;
}

/** How many completed rollouts make up for one that was rolled back. */
const COMPLETED_FOR_ONE_ROLLBACK = 2;
/** However bad the experience, a first step is at least an eighth of what was asked for, and a bake at most four times. */
const MOST_CAUTION = 3;
const LONGEST_BAKE_SECONDS = 604_800;

const FLAPPING_SECONDS = 3600;
const FLAPPING_ROLLBACKS = 2;
const FIRST_HOLD_SECONDS = 600;

/**
 * Production deployments of the endpoint that were rolled back within the last hour, without those whose rollout was
 * aborted: that somebody stops a rollout, or that a newer version supersedes it, says nothing about how versions fare.
 */
export function recentRollbacks(
  deployments: readonly Deployment[],
  now: string,
  aborted: readonly string[] = [],
): Deployment[] {
  const since = Date.parse(now) - FLAPPING_SECONDS * 1000;
  return deployments.filter(
    ({ deployment_id, target_stage, rolled_back_at: at }) =>
      target_stage === "production" &&
      at !== null &&
      Date.parse(at) > since &&
      !aborted.includes(deployment_id),
  );
}

/**
 * When an endpoint that goes to and fro takes a new rollout again: ten minutes after the second rollback within an
 * hour, twice as long after each further one, an hour at most. Null when it may have one now.
 */
export function heldUntil(recent: readonly Deployment[], now: string): string | null {
  if (recent.length < FLAPPING_ROLLBACKS) return null;
  const last = Math.max(...recent.map((one) => Date.parse(one.rolled_back_at ?? now)));
  const doubled = FIRST_HOLD_SECONDS * 2 ** (recent.length - FLAPPING_ROLLBACKS);
  const until = last + Math.min(FLAPPING_SECONDS, doubled) * 1000;
  return until > Date.parse(now) ? new Date(until).toISOString() : null;
}

/**
 * The degree of caution, 0 to 3. Rollbacks of the last hour are read from the database and count even while the memory
 * is down.
 */
export function cautionOf(experience: Experience | null, recent: number): number {
  const { rollbacks, completed_rollouts: completed } = experience ?? { rollbacks: 0, completed_rollouts: 0 };
  const remembered = Math.max(0, rollbacks - Math.floor(completed / COMPLETED_FOR_ONE_ROLLBACK));
  return Math.min(MOST_CAUTION, Math.max(remembered, recent));
}

/** Halves the first step, and lengthens each bake by its own length, once for each degree of caution. */
export function withCaution(plan: RolloutPlan, caution: number): RolloutPlan {
  const [first, ...others] = plan.steps;
  if (caution === 0 || first === undefined || first.weight === 100) return plan;
  const longer = (step: RolloutStep): RolloutStep => ({
    ...step,
    bake_seconds: Math.min(LONGEST_BAKE_SECONDS, step.bake_seconds * (1 + caution)),
  });
  const weight = Math.max(1, Math.floor(first.weight / 2 ** caution));
  return { ...plan, steps: [longer({ ...first, weight }), ...others.map(longer)] };
}
