import type { Decision } from "../../domain/plan.ts";
import type { RollbackRequest } from "../../domain/requests.ts";
import type { ServedBefore, WaysBack } from "../../domain/traffic/ways_back.ts";
import { refuse } from "../../planning/decisions.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";

/**
 * Refuses to roll back a deployment that serves no longer: its caller has not seen what serves in its place, which
 * may be good.
 */
export function refuseNotServing(
  { current_deployment_id: id, rollback_to, condemned_because, rollback_reason }: RollbackRequest,
  current: ServedBefore | null,
  { endpoint }: WaysBack,
): Decision | null {
  if (id === undefined || current === null || current.deployment.deployment_id === id) return null;
  const { endpoint_name } = endpoint;
  const { deployment_id: serves, bento_tag } = current.deployment;
  const words = condemned_because === undefined ? {} : { condemned_because };
  const asked = { deployment_action: "rollback", endpoint_name, rollback_to, ...words, rollback_reason };
  return refuse(
    "conflict",
    `${id} serves nothing of ${endpoint_name} now; ${serves} (${bento_tag}) does. Nothing was changed: name the endpoint if that one is to be left.`,
    { next: [ask(asked, `leaves ${serves} for the one that was named`, "person")] },
  );
}
