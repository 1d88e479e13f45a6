import type { Deployment, Endpoint } from "../../domain/entities.ts";
import type { Decision } from "../../domain/plan.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import { isBegun, isRollbackUnfinished } from "../../domain/traffic/weights.ts";
import { refuseForNow } from "../decisions.ts";
import { ask } from "./next_steps.ts";

/**
 * The deployment that got traffic by an operation that was cut off between its route and its end: a rollback that brings
 * it back, or a deployment without a rollout. It does not count as serving yet, and its operation cannot end once another
 * one has changed the route.
 */
export function cutOffMove(
  deployments: readonly Deployment[],
  { weights }: Pick<Endpoint, "weights">,
  open: Rollout | null,
): Deployment | null {
  const isCutOff = (one: Deployment) =>
    isRollbackUnfinished(one, weights) || (open === null && isBegun(one, weights));
  return deployments.find(isCutOff) ?? null;
}

/** @param then the request, as in `deploy mv_1` */
export function refuseWhileCutOff(moved: Deployment, then: string): Decision {
  const { deployment_id, endpoint_name, status } = moved;
  if (status === "deploying") {
    const back = {
      deployment_action: "rollback",
      current_deployment_id: deployment_id,
      rollback_reason: "to end what was begun",
    };
    return refuseForNow(
      `${endpoint_name} is being moved to ${deployment_id}, which has traffic already; a worker carries that deployment on. ` +
        `Wait for its end, then ${then}.`,
      { next: [ask(back, `takes the traffic of ${deployment_id} back without a worker`)] },
    );
  }
  const isBad = status === "rolled_back";
  const again = {
    deployment_action: "rollback",
    endpoint_name,
    rollback_to: deployment_id,
    rollback_reason: "to end what was begun",
    ...(isBad ? { condemned_because: "..." } : {}),
  };
  return refuseForNow(
    `${endpoint_name} is being brought back to ${deployment_id}, which has traffic already; a worker carries that rollback on. ` +
      `Wait for its end, then ${then}.`,
    {
      next: [
        ask(again, `brings ${deployment_id} back to its end without a worker`, isBad ? "person" : "caller"),
      ],
    },
  );
}
