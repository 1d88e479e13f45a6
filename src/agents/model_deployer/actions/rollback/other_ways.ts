import type { NextStep } from "../../../base/next_step.ts";
import type { RollbackRequest } from "../../domain/requests.ts";
import {
  type Departure,
  isBeingLeft,
  needsReason,
  type ServedBefore,
  type WaysBack,
} from "../../domain/traffic/ways_back.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";

/** How many ways a refusal names at most. */
const MOST_WAYS = 5;

/** Each version that could come back by name, the last one first; what a judge or a person condemned comes last. */
export function otherWays(
  request: Pick<RollbackRequest, "rollback_reason">,
  ways: WaysBack,
  except: readonly string[] = [],
): NextStep[] {
  const { weights } = ways.endpoint;
  const known = new Set<string>();
  const others = ways.served.filter(({ deployment, version }) => {
    const isFirst = !known.has(version.model_version_id);
    known.add(version.model_version_id);
    const serves = (weights[deployment.deployment_id] ?? 0) > 0;
    return isFirst && !serves && !except.includes(deployment.deployment_id);
  });
  return others
    .toSorted((a, b) => Number(needsReason(a, ways)) - Number(needsReason(b, ways)))
    .slice(0, MOST_WAYS)
    .map((one) => backTo(one, request, ways));
}

/** The request that brings one back by name. */
export function backTo(
  one: ServedBefore,
  { rollback_reason }: Pick<RollbackRequest, "rollback_reason">,
  ways: WaysBack,
): NextStep {
  const { deployment_id, bento_tag } = one.deployment;
  const { endpoint } = ways;
  const isBad = needsReason(one, ways);
  const request = {
    ...{ deployment_action: "rollback", endpoint_name: endpoint.endpoint_name, rollback_to: deployment_id },
    ...(isBad ? { condemned_because: "..." } : {}),
    rollback_reason,
  };
  const why = `brings ${bento_tag} back, which ${whyItLeft(one, ways)}`;
  return ask(request, why, isBad ? "person" : "caller");
}

/** Why one serves no longer, in the words of whoever said so. */
export function whyItLeft(one: ServedBefore, ways: WaysBack): string {
  const { deployment, departure, was_only_stopped } = one;
  const { rolled_back_at: at, rollback_reason: reason, status } = deployment;
  if (status === "rolled_back") {
    const how = was_only_stopped ? "had its rollout stopped" : "was rolled back";
    const by = departure?.kind === "rollback" ? ` by ${departure.changed_by}` : "";
    return `${how} at ${at}${by}: ${reason ?? "no reason was given"}`;
  }
  if (isBeingLeft(one, ways)) return "is being rolled back at this moment";
  return departure === null ? "was not taken from production" : left(departure);
}

function left({ kind, occurred_at, changed_by, reason }: Departure): string {
  const how = {
    promotion: "left",
    supersession: "was replaced",
    rollback: "was rolled back",
    archival: "was archived",
  };
  return `${how[kind]} at ${occurred_at} by ${changed_by}: ${reason}`;
}
