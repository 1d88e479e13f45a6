import type { Deployment, WeightSet } from "../agents/model_deployer/domain/entities.ts";
import type { Rollout } from "../agents/model_deployer/domain/rollout.ts";
import { isBegun, serving } from "../agents/model_deployer/domain/weights.ts";
import { ConflictError } from "../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../database/index.ts";

/** For so long after a rollback an endpoint's name may still mean what was rolled back. */
const JUST_NOW_SECONDS = 300;

interface SeenEndpoint {
  endpoint_name: string;
  weights: WeightSet;
  open: Pick<Rollout, "deployment_id"> | null;
  /** Newest first. */
  deployments: readonly Deployment[];
  now: string;
}

/** @throws ConflictError as `deploymentNamed` does */
export async function rollbackTarget(
  target: string,
  { endpoints, rollouts, deployments, clock }: RollbackDatabase,
): Promise<string> {
  const endpoint = await endpoints.get(target);
  if (endpoint === null) return target;
  const { endpoint_name, weights } = endpoint;
  const open = await rollouts.getOpen(target);
  const known = await deployments.listForEndpoint(target);
  return deploymentNamed({ endpoint_name, weights, open, deployments: known, now: await clock.now() });
}

export type RollbackDatabase = Pick<DeployerDatabase, "endpoints" | "rollouts" | "deployments" | "clock">;

/**
 * An endpoint's name stands for the candidate of its open rollout or of a deployment that was cut off, else for what has
 * most of its traffic.
 * @throws ConflictError where that is what a rollback has just brought back: whoever asks may not know of that rollback
 */
export function deploymentNamed(seen: SeenEndpoint): string {
  const { endpoint_name, weights, open, deployments } = seen;
  if (open !== null) return open.deployment_id;
  const begun = deployments.find((one) => isBegun(one, weights));
  if (begun !== undefined) return begun.deployment_id;
  const [largest] = serving(weights);
  if (largest === undefined) return endpoint_name;
  const bad = justRolledBack(largest, seen);
  if (bad !== null) throw alreadyRolledBack(bad, largest, seen);
  return largest;
}

interface RolledBack {
  deployment_id: string;
  reason: string;
  seconds: number;
}

/** The last that was taken from production in favour of what serves; a deployment that began later is no such thing. */
function justRolledBack(largest: string, { deployments, now }: SeenEndpoint): RolledBack | null {
  const position = deployments.findIndex(({ deployment_id: id }) => id === largest);
  const rolledBack = deployments.slice(0, Math.max(0, position)).flatMap((one): RolledBack[] => {
    const { deployment_id, target_stage, status, rolled_back_at: at, rollback_reason } = one;
    if (target_stage !== "production" || status !== "rolled_back" || at === null) return [];
    const seconds = Math.max(0, Date.parse(now) - Date.parse(at)) / 1000;
    return [{ deployment_id, seconds, reason: rollback_reason ?? "no reason was given" }];
  });
  const [last] = rolledBack.sort((a, b) => a.seconds - b.seconds);
  return last !== undefined && last.seconds <= JUST_NOW_SECONDS ? last : null;
}

function alreadyRolledBack(bad: RolledBack, largest: string, { endpoint_name }: SeenEndpoint): ConflictError {
  const { deployment_id: id, reason } = bad;
  const seconds = Math.floor(bad.seconds);
  return new ConflictError(
    `${id} of ${endpoint_name} was rolled back ${seconds} s ago (${reason}), and ${largest} serves now. Nothing was changed. To take that one back too: model-deployer rollback ${largest} --reason "..."`,
    // Given again later, the same command would take the wrong one.
    {
      retryable: false,
      details: { unmet: [], rolled_back: { deployment_id: id, reason, seconds }, serving: largest },
    },
  );
}
