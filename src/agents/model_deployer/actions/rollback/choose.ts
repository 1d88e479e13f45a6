import type { Decision } from "../../domain/plan.ts";
import type { RollbackRequest } from "../../domain/requests.ts";
import {
  unfinishedRollback,
  isCondemned,
  type ServedBefore,
  type WaysBack,
} from "../../domain/traffic/ways_back.ts";
import { isBegun, isRollbackUnfinished, serving } from "../../domain/traffic/weights.ts";
import { secondsAfter } from "../../planning/planned_deployment.ts";
import { refuse, refuseForNow } from "../../planning/decisions.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";
import { find, type Named, refuseCondemned, refuseNamed } from "./named_target.ts";
import { refuseNotServing } from "./not_serving.ts";

export interface Chosen {
  /** The one that loses its traffic; null where nothing serves. */
  current: ServedBefore | null;
  /** The one that is brought back; null stands for the one that served before the current one. */
  target: ServedBefore | null;
}

/** How long after a rollback a request that names only the endpoint may still mean what was rolled back. */
const JUST_NOW_SECONDS = 300;

/** Finds the deployments that a request means which names only an endpoint, or only what is to come back. */
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
  if (request.rollback_to !== undefined) return chosenByName(current, find(request.rollback_to, ways));
  return { current, target: unfinishedRollback(ways) ?? (current === null ? servedLast(ways) : null) };
}

/**
 * Naming the version that an unfinished rollback takes out calls that rollback off; there is no other way to do so.
 */
function chosenByName(current: ServedBefore | null, target: ServedBefore | null): Chosen {
  const isSame = current?.deployment.deployment_id === target?.deployment.deployment_id;
  return { current: isSame ? null : current, target };
}

/**
 * The candidate of an open rollout, or a deployment that was cut off after its first traffic; otherwise the one with
 * the most traffic.
 */
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
  if (serves === null || !isRollbackUnfinished(serves.deployment, weights)) return serves;
  return served.find(({ deployment }) => deployment.status === "active") ?? null;
}

/** The deployment that served last; one that was never condemned takes precedence. */
function servedLast({ served }: WaysBack): ServedBefore | null {
  return served.find((one) => !isCondemned(one)) ?? served[0] ?? null;
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
  if (unfinishedRollback(ways) !== null) return null;
  const target = current ?? servedLast(ways);
  if (current === null) {
    const bad = target !== null && isCondemned(target) && request.condemned_because === undefined;
    return bad ? refuseCondemned(request, target, ways) : null;
  }
  return request.current_deployment_id === undefined ? refuseJustBack(request, ways, current, now) : null;
}

/**
 * Refuses a request that names only the endpoint right after a rollback, or after one has brought back what serves: its
 * caller may not know of that, and would undo it. Where there is nothing to go back to, no time lifts that.
 */
function refuseJustBack(
  request: RollbackRequest,
  ways: WaysBack,
  current: ServedBefore,
  now: string,
): Decision | null {
  const { endpoint, open_rollout: open, served } = ways;
  const { deployment: serves } = current;
  const id = serves.deployment_id;
  const isAlone = !served.some(({ deployment }) => deployment.status === "draining");
  if (open !== null || isAlone || isBegun(serves, endpoint.weights)) return null;
  const seen = lastRolledBack(current, served, now) ?? justReturned(current, now);
  if (seen === null) return null;
  const { rollback_reason } = request;
  const again = { deployment_action: "rollback", current_deployment_id: id, rollback_reason };
  const until = secondsAfter(seen.at, JUST_NOW_SECONDS + 1);
  return refuseForNow(
    `${seen.what}. Nothing was changed. To take that one back too, name it; from ${until} on the name of the endpoint stands for it.`,
    { next: [ask(again, `takes ${id} back too`, "person")], not_before: until },
  );
}

interface JustNow {
  what: string;
  at: string;
}

function lastRolledBack(
  { deployment: serves }: ServedBefore,
  served: readonly ServedBefore[],
  now: string,
): JustNow | null {
  const since = (at: string | null) => secondsSince(at, now);
  const [last] = served
    .map(({ deployment }) => deployment)
    .filter((one) => one.status === "rolled_back" && since(one.rolled_back_at) <= JUST_NOW_SECONDS)
    .filter((one) => Date.parse(one.rolled_back_at ?? now) >= Date.parse(serves.deployed_at))
    .sort((a, b) => since(a.rolled_back_at) - since(b.rolled_back_at));
  if (last === undefined) return null;
  const { deployment_id, endpoint_name, rollback_reason, rolled_back_at } = last;
  const ago = `${Math.floor(since(rolled_back_at))} s ago (${rollback_reason ?? "no reason was given"})`;
  return {
    what: `${deployment_id} of ${endpoint_name} was rolled back ${ago}, and ${serves.deployment_id} serves now`,
    at: rolled_back_at ?? now,
  };
}

function justReturned({ deployment, returned }: ServedBefore, now: string): JustNow | null {
  const seconds = secondsSince(returned?.occurred_at ?? null, now);
  if (returned === null || seconds > JUST_NOW_SECONDS) return null;
  const { deployment_id, endpoint_name } = deployment;
  const { changed_by, reason, occurred_at } = returned;
  const ago = `${Math.floor(seconds)} s ago by ${changed_by} (${reason})`;
  return {
    what: `${deployment_id} was brought back on ${endpoint_name} ${ago}, and serves now`,
    at: occurred_at,
  };
}

function secondsSince(at: string | null, now: string): number {
  return at === null ? Infinity : Math.max(0, Date.parse(now) - Date.parse(at)) / 1000;
}
