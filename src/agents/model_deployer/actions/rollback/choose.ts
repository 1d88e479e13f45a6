import type { NextStep } from "../../../base/next_step.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import type { Decision } from "../../domain/plan.ts";
import type { RollbackRequest } from "../../domain/requests.ts";
import { isCondemned, type ServedBefore, type WaysBack } from "../../domain/traffic/ways_back.ts";
import { isBegun, isHalfBack, serving } from "../../domain/traffic/weights.ts";
import { secondsAfter } from "../../planning/planned_deployment.ts";
import { missing, refuse, refuseForNow } from "../../planning/decisions.ts";
import { endpointName } from "../../domain/values/names.ts";
import { ask, listing } from "../../planning/onward/next_steps.ts";
import { stepsOnward } from "../../planning/onward/steps_onward.ts";
import { notEnded, waysOfEnded } from "./ended_version.ts";
import { refuseNotServing } from "./not_serving.ts";
import { backTo, otherWays } from "./other_ways.ts";

/** The deployment or version named by `rollback_to`, whatever endpoint it belongs to. */
export interface Named {
  deployment: Deployment | null;
  version: ModelVersion | null;
}

export interface Chosen {
  /** Is left; null where nothing serves. */
  current: ServedBefore | null;
  /** Is brought back; null for what served before the current one. */
  target: ServedBefore | null;
}

/** For so long after a rollback an endpoint's name may still mean what was rolled back. */
const JUST_NOW_SECONDS = 300;

/** The meaning, at this moment, of a request that names an endpoint or what is to come back. */
export function choose(
  request: RollbackRequest,
  ways: WaysBack,
  named: Named,
  now: string,
): Chosen | Extract<Decision, { decision: "refusal" }>["refusal"] {
  const current = currentOf(request, ways);
  const refusal =
    request.rollback_to === undefined
      ? refuseUnnamed(request, ways, current, now)
      : (refuseNamed(request, request.rollback_to, ways, named) ?? refuseNotServing(request, current, ways));
  if (refusal?.decision === "refusal") return refusal.refusal;
  if (request.rollback_to !== undefined) return { current, target: find(request.rollback_to, ways) };
  return { current, target: halfBack(ways) ?? (current === null ? servedLast(ways) : null) };
}

/** The deployment that a cut-off rollback has given traffic already: whoever asks again brings that rollback to its end. */
function halfBack({ endpoint, served, open_rollout: open }: WaysBack): ServedBefore | null {
  if (open !== null) return null;
  return served.find(({ deployment }) => isHalfBack(deployment, endpoint.weights)) ?? null;
}

/** The candidate of an open rollout or what was cut off after its first traffic, else what has most of the traffic. */
function currentOf(
  request: RollbackRequest,
  { endpoint, open_rollout: open, served }: WaysBack,
): ServedBefore | null {
  const { weights } = endpoint;
  const byId = (id: string | undefined) =>
    served.find(({ deployment }) => deployment.deployment_id === id) ?? null;
  const asked = byId(request.current_deployment_id);
  if (asked !== null && (weights[asked.deployment.deployment_id] ?? 0) > 0) return asked;
  if (open !== null) return byId(open.deployment_id);
  const serves = served.find(({ deployment }) => isBegun(deployment, weights)) ?? byId(serving(weights)[0]);
  if (serves === null || !isHalfBack(serves.deployment, weights)) return serves;
  return served.find(({ deployment }) => deployment.status === "active") ?? null;
}

/** One that was never condemned comes first. */
function servedLast({ served }: WaysBack): ServedBefore | null {
  return served.find((one) => !isCondemned(one)) ?? served[0] ?? null;
}

function find(to: string, { served }: WaysBack): ServedBefore | null {
  return (
    served.find(({ deployment }) => deployment.deployment_id === to) ??
    served.find(({ version }) => version.model_version_id === to) ??
    null
  );
}

function refuseUnnamed(
  request: RollbackRequest,
  ways: WaysBack,
  current: ServedBefore | null,
  now: string,
): Decision | null {
  const name = ways.endpoint.endpoint_name;
  if (ways.served.length === 0) {
    return refuse(
      "rollback_failed",
      `No previous production deployment found: nothing has served ${name} yet.`,
    );
  }
  if (halfBack(ways) !== null) return null;
  const target = current ?? servedLast(ways);
  if (current === null) {
    const bad = target !== null && isCondemned(target) && request.condemned_because === undefined;
    return bad ? refuseCondemned(request, target, ways) : null;
  }
  return request.current_deployment_id === undefined ? refuseJustBack(request, ways, current, now) : null;
}

/** Whoever names the endpoint only may not know of the rollback that has just been made. */
function refuseJustBack(
  request: RollbackRequest,
  ways: WaysBack,
  { deployment: serves }: ServedBefore,
  now: string,
): Decision | null {
  const { endpoint, open_rollout: open, served } = ways;
  if (open !== null || isBegun(serves, endpoint.weights)) return null;
  const [last] = served
    .map(({ deployment }) => deployment)
    .filter((one) => one.status === "rolled_back" && secondsSince(one, now) <= JUST_NOW_SECONDS)
    .filter((one) => Date.parse(one.rolled_back_at ?? now) >= Date.parse(serves.deployed_at))
    .sort((a, b) => secondsSince(a, now) - secondsSince(b, now));
  if (last === undefined) return null;
  const id = serves.deployment_id;
  const seconds = Math.floor(secondsSince(last, now));
  const reason = last.rollback_reason ?? "no reason was given";
  const { rollback_reason } = request;
  const again = { deployment_action: "rollback", current_deployment_id: id, rollback_reason };
  const until = secondsAfter(last.rolled_back_at ?? now, JUST_NOW_SECONDS + 1);
  return refuseForNow(
    `${last.deployment_id} of ${endpoint.endpoint_name} was rolled back ${seconds} s ago (${reason}), and ${id} serves now. Nothing was changed. To take that one back too, name it; from ${until} on the name of the endpoint stands for it.`,
    { next: [ask(again, `takes ${id} back too`, "person")], not_before: until },
  );
}

function secondsSince({ rolled_back_at: at }: Deployment, now: string): number {
  return at === null ? Infinity : Math.max(0, Date.parse(now) - Date.parse(at)) / 1000;
}

function refuseNamed(request: RollbackRequest, to: string, ways: WaysBack, named: Named): Decision | null {
  const { endpoint, open_rollout: open } = ways;
  const target = find(to, ways);
  if (target === null) return refuseStranger(request, to, ways, named);
  const { deployment_id: id, bento_tag } = target.deployment;
  const share = endpoint.weights[id] ?? 0;
  if (share === 100 && !isHalfBack(target.deployment, endpoint.weights)) {
    return refuse(
      "conflict",
      `${id} (${bento_tag}) serves all traffic of ${endpoint.endpoint_name} already. Nothing was changed.`,
      { next: otherWays(request, ways) },
    );
  }
  if (open?.deployment_id === id && share > 0) {
    const now = { deployment_action: "promote_now", rollout_id: open.rollout_id };
    const asked = { ...now, rollout_reason: request.rollback_reason };
    return refuse(
      "conflict",
      `${id} has ${share} % of ${endpoint.endpoint_name} in ${open.rollout_id}, which is ${open.status}: it goes forward by the rollout, or at once by promote-now.`,
      { next: [ask(asked, `gives ${id} all traffic, with an approval`)] },
    );
  }
  const isBad = isCondemned(target) && request.condemned_because === undefined;
  return isBad ? refuseCondemned(request, target, ways) : null;
}

function refuseCondemned(request: RollbackRequest, target: ServedBefore, ways: WaysBack): Decision {
  const { deployment, departure } = target;
  const { deployment_id: id, bento_tag, rollback_reason, rolled_back_at } = deployment;
  const by = departure?.kind === "rollback" ? ` by ${departure.changed_by}` : "";
  const why = rollback_reason ?? departure?.reason ?? "no reason was given";
  const sentence = `${id} (${bento_tag}) was rolled back at ${rolled_back_at}${by}: ${why}. Say with condemned_because why it may serve again.`;
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
  return refuse(
    "rollback_failed",
    `${to} has never served production on ${name}, so there is no way back to it${forward(version)}.`,
    {
      next: [...onward(version, ways, request.rollback_reason), ...next],
    },
  );
}

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
        : stepsOnward(version, rollback_reason),
  });
}

function onward(version: ModelVersion | null, ways: WaysBack, reason: string): NextStep[] {
  if (version === null) return [];
  if (version.stage === "archived") return waysOfEnded(version, { ways, last_rollout: null }, reason);
  return stepsOnward(version, reason);
}

function forward(version: ModelVersion | null): string {
  if (version === null) return "";
  return version.stage === "production"
    ? "; a deployment brings it there"
    : `; it is at ${version.stage}${version.stage === "archived" ? ", which is its end" : " and comes there by its stages"}`;
}
