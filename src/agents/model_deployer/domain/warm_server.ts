import type { Change } from "./changes.ts";
import type { Deployment } from "./entities.ts";
import { startOf } from "./planned_deployment.ts";
import type { DeployFacts } from "./planned_traffic.ts";
import { setStatus } from "./route_switch.ts";

interface TakeOver {
  /** The deployment whose running server the new one takes over; null where there is none. */
  takes_over: string | null;
  /** Makes its server due to be drained, which is what whoever takes it over claims it by. */
  intent: Change[];
  notes: string[];
}

export function takeOver(wanted: Deployment, facts: DeployFacts): TakeOver {
  const warm = warmServer(wanted, facts);
  if (warm === null) return { takes_over: null, intent: [], notes: [] };
  const { deployment_id: id, status } = warm;
  return {
    takes_over: id,
    intent: [setStatus(id, [status], status, { keepWarmSeconds: 0 })],
    notes: [`The running server of ${id} is taken over.`],
  };
}

/** One that ended, of the same version with the same resources, and that no rollback would bring back. */
function warmServer(wanted: Deployment, { deployments, still_warm }: DeployFacts): Deployment | null {
  const resources = (one: Deployment) => JSON.stringify(startOf({ ...one, deployment_id: "" }));
  return (
    deployments.find(
      (one) =>
        still_warm.includes(one.deployment_id) &&
        isOver(one) &&
        one.model_version_id === wanted.model_version_id &&
        resources(one) === resources(wanted),
    ) ?? null
  );
}

/** Its server runs on for a while, for somebody to look at or until it is drained, and is no way back. */
export function isOver({ status, target_stage, drained_at }: Deployment): boolean {
  if (drained_at !== null) return false;
  return status === "rolled_back" || (status === "draining" && target_stage !== "production");
}
