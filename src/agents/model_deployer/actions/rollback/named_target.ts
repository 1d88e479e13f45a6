import type { NextStep } from "../../../base/next_step.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import type { Decision } from "../../domain/plan.ts";
import type { RollbackRequest } from "../../domain/requests.ts";
import { isGoingBack, type Rollout } from "../../domain/traffic/rollout.ts";
import {
  isBeingLeft,
  needsReason,
  type ServedBefore,
  type WaysBack,
} from "../../domain/traffic/ways_back.ts";
import { isBegun, isRollbackUnfinished } from "../../domain/traffic/weights.ts";
import { missing, refuse, refuseForNow } from "../../planning/decisions.ts";
import { endpointName } from "../../domain/values/names.ts";
import { ask, listing } from "../../planning/ways_out/next_steps.ts";
import { stepsToNextStage } from "../../planning/ways_out/stage_steps.ts";
import { notEnded, waysOfEnded } from "./ended_version.ts";
import { backTo, otherWays } from "./other_ways.ts";

/** The deployment or version named by `rollback_to`, whatever endpoint it belongs to. */
export interface Named {
  deployment: Deployment | null;
  version: ModelVersion | null;
}

/** The one of those that have served that the request names. */
export function find(to: string, { served }: WaysBack): ServedBefore | null {
  return (
    served.find(({ deployment }) => deployment.deployment_id === to) ??
    served.find(({ version }) => version.model_version_id === to) ??
    null
  );
}

/** Why what is named can't come back by its name; null where it can. */
export function refuseNamed(
  request: RollbackRequest,
  to: string,
  ways: WaysBack,
  named: Named,
): Decision | null {
  const { endpoint, open_rollout: open } = ways;
  const target = find(to, ways);
  if (target === null) return refuseStranger(request, to, ways, named);
  const { deployment_id: id, bento_tag } = target.deployment;
  const share = endpoint.weights[id] ?? 0;
  const isUnfinished =
    open === null ? isRollbackUnfinished(target.deployment, endpoint.weights) : isGoingBack(open);
  if (share === 100 && !isUnfinished) {
    return refuse(
      "conflict",
      `${id} (${bento_tag}) serves all traffic of ${endpoint.endpoint_name} already. Nothing was changed.`,
      { next: otherWays(request, ways) },
    );
  }
  if (open?.deployment_id === id && !isBeingLeft(target, ways)) {
    const now = { deployment_action: "promote_now", rollout_id: open.rollout_id };
    const asked = { ...now, rollout_reason: request.rollback_reason };
    return refuse(
      "conflict",
      `${id} has ${share} % of ${endpoint.endpoint_name} in ${open.rollout_id}, which is ${open.status}: it goes forward by the rollout, or at once by promote-now.`,
      { next: [ask(asked, `gives ${id} all traffic, with an approval`)] },
    );
  }
  if (isBegun(target.deployment, endpoint.weights)) {
    const back = { deployment_action: "rollback", endpoint_name: endpoint.endpoint_name };
    const asked = { ...back, rollback_reason: request.rollback_reason };
    return refuse(
      "conflict",
      `${id} has ${share} % of ${endpoint.endpoint_name} by a deployment that has not ended, and goes forward by that.`,
      { next: [ask(asked, `takes ${id} back`, "person")] },
    );
  }
  if (needsReason(target, ways) && request.condemned_because === undefined)
    return refuseCondemned(request, target, ways);
  return open?.deployment_id === id ? refuseCandidate(request, open, ways) : null;
}

/** Refuses the candidate of a rollout that somebody is just ending; by its name it can come back after that. */
function refuseCandidate(
  { rollback_reason }: RollbackRequest,
  open: Rollout,
  { endpoint }: WaysBack,
): Decision {
  const { endpoint_name } = endpoint;
  const { rollout_id, deployment_id } = open;
  const end = { deployment_action: "rollback", endpoint_name, rollback_reason };
  return refuseForNow(
    `${deployment_id} is the candidate of ${rollout_id}, which is being rolled back; it comes back by name once that has ended.`,
    { next: [ask(end, `brings the end of ${rollout_id} about`, "person")] },
  );
}

export function refuseCondemned(request: RollbackRequest, target: ServedBefore, ways: WaysBack): Decision {
  const { deployment, departure } = target;
  const { deployment_id: id, bento_tag, rollback_reason, rolled_back_at } = deployment;
  const by = departure?.kind === "rollback" ? ` by ${departure.changed_by}` : "";
  const why = rollback_reason ?? departure?.reason ?? "no reason was given";
  const what = isBeingLeft(target, ways)
    ? "is being rolled back at this moment"
    : `was rolled back at ${rolled_back_at}${by}: ${why}`;
  const sentence = `${id} (${bento_tag}) ${what}. Say with condemned_because why it may serve again.`;
  return refuse("rollback_failed", sentence, {
    unmet: [{ criterion: "condemned_because", required: "said in words", observed: "not said", sentence }],
    next: [backTo(target, request, ways), ...otherWays(request, ways, [id])],
  });
}

function refuseStranger(
  request: RollbackRequest,
  to: string,
  ways: WaysBack,
  { deployment, version }: Named,
): Decision {
  const { endpoint_name: name, experiment_id } = ways.endpoint;
  const next = otherWays(request, ways);
  if (deployment === null && version === null) {
    return missing("Version or deployment", to, `name one that has served ${name}`, next);
  }
  const owner = deployment?.endpoint_name ?? version?.experiment_id;
  const isOwn = deployment === null ? owner === experiment_id : owner === name;
  if (!isOwn) {
    const what = deployment === null ? `experiment ${owner}` : `endpoint ${owner}`;
    return refuse("rollback_failed", `${to} belongs to ${what}; it is no way back for ${name}.`, { next });
  }
  const now = ways.served.find(
    (one) => one.version.model_version_id === version?.model_version_id && shareOf(one, ways) > 0,
  );
  if (now !== undefined) {
    const { deployment_id: id, model_version_id } = now.deployment;
    const sentence = `${to} has never served production on ${name}; its version ${model_version_id} does now, as ${id}. Nothing was changed.`;
    return refuse("rollback_failed", sentence, { next });
  }
  const ahead = stagesTowardsProduction(version, ways, request.rollback_reason);
  const known = new Set(ahead.map(({ command }) => command));
  return refuse(
    "rollback_failed",
    `${to} has never served production on ${name}, so there is no way back to it${forward(version)}.`,
    { next: [...ahead, ...next.filter(({ command }) => !known.has(command))] },
  );
}

const shareOf = ({ deployment }: ServedBefore, { endpoint }: WaysBack): number =>
  endpoint.weights[deployment.deployment_id] ?? 0;

/** An endpoint is opened by its first deployment; a version whose endpoint it will be comes there by its stages. */
export function refuseWithoutEndpoint(
  { rollback_reason }: RollbackRequest,
  name: string,
  version: ModelVersion | null,
): Decision {
  if (version === null || endpointName(version.experiment_id, "production") !== name) {
    return missing("Endpoint", name, "status lists those that there are", [listing.endpoints]);
  }
  const { model_version_id: id } = version;
  return refuse("rollback_failed", `Nothing has served ${name} yet, ${id} neither${forward(version)}.`, {
    next:
      version.stage === "archived"
        ? waysOfEnded(version, notEnded, rollback_reason)
        : stepsToNextStage(version, rollback_reason),
  });
}

function stagesTowardsProduction(version: ModelVersion | null, ways: WaysBack, reason: string): NextStep[] {
  if (version === null) return [];
  if (version.stage === "archived") return waysOfEnded(version, { ways, last_rollout: null }, reason);
  return stepsToNextStage(version, reason);
}

function forward(version: ModelVersion | null): string {
  if (version === null) return "";
  return version.stage === "production"
    ? "; a deployment brings it there"
    : `; it is at ${version.stage}${version.stage === "archived" ? ", which is its end" : " and comes there by its stages"}`;
}
