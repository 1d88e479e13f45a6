import type { Change } from "../../domain/changes.ts";
import type { Deployment } from "../../domain/entities.ts";
import { resourcesOf, type TakeOver } from "../../planning/planned_deployment.ts";
import { engineOf } from "../../domain/servers/engines.ts";
import type { DeployRequest } from "../../domain/requests.ts";
import type { DeployFacts } from "./facts.ts";
import { setStatus } from "../../planning/route_switch.ts";

export interface PlannedTakeOver extends TakeOver {
  /** Marks the ended deployment's server as due for draining, since a takeover claims a server as draining does. */
  intent: Change[];
  /** Ends the deployment at staging whose server is adopted. */
  on_success: Change[];
  notes: string[];
}

type Asked = Pick<DeployRequest, "adopt_staging">;
const nothingTaken = { takes_over: null, adopts: null, leaves: null, intent: [], on_success: [] };

/** Those of the endpoint and of the one that an adopted deployment leaves. */
export const leasesOf = ({ endpoint_name }: Deployment, { leaves }: TakeOver) => ({
  lease_name: endpoint_name,
  also_leases: leaves === null ? [] : [leaves.endpoint_name],
});

/** Of the running servers that can serve it, the one whose end costs least: of its shadow, of an ended one, at staging. */
export function takeOver(wanted: Deployment, facts: DeployFacts, asked: Asked): PlannedTakeOver {
  const shadow = ownShadow(wanted, facts);
  if (shadow !== null) {
    const notes = [`The running server of its shadow ${shadow.deployment_id} is adopted.`];
    return { ...nothingTaken, adopts: shadow.deployment_id, notes };
  }
  const warm = warmServer(wanted, facts);
  if (warm === null) return takeStaged(wanted, facts, asked);
  const { deployment_id: id, status } = warm;
  return {
    ...nothingTaken,
    takes_over: id,
    intent: [setStatus(id, [status], status, { keepWarmSeconds: 0 })],
    notes: [`The running server of ${id} is taken over.`],
  };
}

/** An ended deployment of the same version with the same limits, which no rollback would bring back. */
function warmServer(wanted: Deployment, facts: DeployFacts): Deployment | null {
  const { deployments, still_warm } = facts;
  const asNew = still_warm.filter(({ is_outdated }) => !is_outdated);
  const usable = deployments.filter(({ deployment_id: id }) => asNew.some((warm) => warm.id === id));
  return usable.find((one) => isOver(one) && isServedAlike(one, wanted, facts)) ?? null;
}

/** The shadow of the version that goes to production, unless mirrored requests queue at it. */
function ownShadow(wanted: Deployment, facts: DeployFacts): Deployment | null {
  const { deployments, endpoint } = facts;
  if (wanted.target_stage !== "production") return null;
  const shadow = deployments.find(({ deployment_id: id }) => id === endpoint?.mirror_deployment_id);
  return shadow !== undefined && isFree(shadow, facts) && isServedAlike(shadow, wanted, facts)
    ? shadow
    : null;
}

/** The version's own server at staging, unless callers would miss it, or it is another than a new one would be. */
function takeStaged(wanted: Deployment, facts: DeployFacts, { adopt_staging }: Asked): PlannedTakeOver {
  const { staged } = facts;
  if (adopt_staging === false) return { ...nothingTaken, notes: [] };
  if (staged === null) {
    const note = "No server of it serves staging, so a new one is started.";
    return { ...nothingTaken, notes: adopt_staging === true ? [note] : [] };
  }
  const { deployment, endpoint, is_asked } = staged;
  const { deployment_id: id, endpoint_name: name } = deployment;
  const canServe = isFree(deployment, facts) && isServedAlike(deployment, wanted, facts);
  if (!canServe) {
    const note = `The server of ${id} at staging is not adopted: it has other limits, settings or work to do. A new one is started.`;
    return { ...nothingTaken, notes: adopt_staging === true ? [note] : [] };
  }
  if (is_asked && adopt_staging !== true) {
    const note = `The running server of ${id} at staging could be adopted, and ${name} has callers, who keep it. Ask with adopt_staging to do without a new one.`;
    return { ...nothingTaken, notes: [note] };
  }
  const { generation, weights, mirror_deployment_id } = endpoint;
  return {
    ...nothingTaken,
    adopts: id,
    leaves: { endpoint_name: name, before: { generation, weights, mirror_deployment_id } },
    on_success: [setStatus(id, ["active"], "draining", { keepWarmSeconds: 0 })],
    notes: [
      `The running server of ${id} at staging is adopted. Callers of ${name} get no answer until something is deployed there.`,
    ],
  };
}

/** It answers, nothing waits at it, and one that is started now would be no other. */
const isFree = ({ deployment_id }: Deployment, { still_warm }: DeployFacts): boolean =>
  still_warm.some(({ id, is_behind, is_outdated }) => id === deployment_id && !is_behind && !is_outdated);

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
