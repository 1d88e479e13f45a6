import type { Deployment, Endpoint, ModelVersion } from "../../domain/entities.ts";
import type { Decision } from "../../domain/plan.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import { isBegun, isRollbackUnfinished } from "../../domain/traffic/weights.ts";
import { refuse, refuseForNow } from "../decisions.ts";
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

/**
 * Whoever waits for the end of the move may ask again, but for a version that has left production by then.
 * @param then the request, as in `deploy mv_1`
 * @param version the one that it names
 */
export function refuseWhileCutOff(
  moved: Deployment,
  then: string,
  version: Pick<ModelVersion, "model_version_id" | "stage"> | null = null,
): Decision {
  const { deployment_id, endpoint_name, model_version_id } = moved;
  const way = wayToItsEnd(moved);
  const next = [way.next];
  const begun = `${endpoint_name} is being ${way.move} to ${deployment_id}, which has traffic already`;
  // An experiment has one version at production: whatever else the move brings there takes this one out.
  if (version?.stage === "production" && version.model_version_id !== model_version_id) {
    const sentence = `${begun}; ${version.model_version_id} leaves production when a worker has carried that ${way.name} on.`;
    return refuse("conflict", sentence, { next });
  }
  return refuseForNow(`${begun}; a worker carries that ${way.name} on. Wait for its end, then ${then}.`, {
    next,
  });
}

function wayToItsEnd({ deployment_id, endpoint_name, status }: Deployment) {
  const reason = { rollback_reason: "to end what was begun" };
  if (status === "deploying") {
    const back = { deployment_action: "rollback", current_deployment_id: deployment_id, ...reason };
    const next = ask(back, `takes the traffic of ${deployment_id} back without a worker`);
    return { move: "moved", name: "deployment", next };
  }
  const isBad = status === "rolled_back";
  const again = {
    ...{ deployment_action: "rollback", endpoint_name, rollback_to: deployment_id, ...reason },
    ...(isBad ? { condemned_because: "..." } : {}),
  };
  const why = `brings ${deployment_id} back to its end without a worker`;
  return { move: "brought back", name: "rollback", next: ask(again, why, isBad ? "person" : "caller") };
}
