import type { Change } from "../../domain/changes.ts";
import type { Deployment } from "../../domain/entities.ts";
import { resourcesOf, type TakeOver } from "../../planning/planned_deployment.ts";
import { engineOf } from "../../domain/servers/engines.ts";
import type { DeployFacts } from "./facts.ts";
import { setStatus } from "../../planning/route_switch.ts";

export interface PlannedTakeOver extends TakeOver {
  /** Marks the ended deployment's server as due for draining, since a takeover claims a server as draining does. */
  intent: Change[];
  notes: string[];
}

export function takeOver(wanted: Deployment, facts: DeployFacts): PlannedTakeOver {
  const shadow = ownShadow(wanted, facts);
  if (shadow !== null) {
    const notes = [`The running server of its shadow ${shadow.deployment_id} is adopted.`];
    return { takes_over: null, adopts: shadow.deployment_id, intent: [], notes };
  }
  const warm = warmServer(wanted, facts);
  if (warm === null) return { takes_over: null, adopts: null, intent: [], notes: [] };
  const { deployment_id: id, status } = warm;
  return {
    takes_over: id,
    adopts: null,
    intent: [setStatus(id, [status], status, { keepWarmSeconds: 0 })],
    notes: [`The running server of ${id} is taken over.`],
  };
}

/** An ended deployment of the same version with the same limits, which no rollback would bring back. */
function warmServer(wanted: Deployment, facts: DeployFacts): Deployment | null {
  const { deployments, still_warm } = facts;
  const usable = deployments.filter(({ deployment_id: id }) => still_warm.some((warm) => warm.id === id));
  return usable.find((one) => isOver(one) && isServedAlike(one, wanted, facts)) ?? null;
}

/** The shadow of the version that goes to production, unless mirrored requests queue at it. */
function ownShadow(wanted: Deployment, facts: DeployFacts): Deployment | null {
  const { deployments, endpoint, still_warm } = facts;
  if (wanted.target_stage !== "production") return null;
  const free = still_warm.filter(({ id, is_behind }) => id === endpoint?.mirror_deployment_id && !is_behind);
  const shadow = deployments.find(({ deployment_id: id }) => free.some((warm) => warm.id === id));
  return shadow !== undefined && isServedAlike(shadow, wanted, facts) ? shadow : null;
}

/**
 * Whether the servers of one deployment can serve the other one. Their number may differ where a start corrects it.
 */
function isServedAlike(
  one: Deployment,
  other: Deployment,
  { still_warm, engines }: Pick<DeployFacts, "still_warm" | "engines">,
): boolean {
  const isCounted = still_warm.some(({ id, is_counted }) => id === one.deployment_id && is_counted);
  const server = (deployment: Deployment) => {
    const { model_version_id, bento_tag, cpu_limit, memory_limit } = deployment;
    const number = isCounted ? null : resourcesOf(deployment);
    const engine = engineOf(deployment, engines);
    return JSON.stringify({ model_version_id, bento_tag, cpu_limit, memory_limit, number, engine });
  };
  return server(one) === server(other);
}

/** The deployment is over, and its server only runs until it is drained; no rollback would bring it back. */
export function isOver({ status, target_stage, drained_at }: Deployment): boolean {
  if (drained_at !== null) return false;
  return status === "rolled_back" || (status === "draining" && target_stage !== "production");
}
