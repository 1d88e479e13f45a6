import type { Decision } from "../../domain/plan.ts";
import type { RollbackRequest } from "../../domain/requests.ts";
import { needsReason, type WaysBack } from "../../domain/traffic/ways_back.ts";
import type { Chosen } from "./choose.ts";

/** Null where the rollback is to the deployment before, which nobody has condemned. */
type Needed = (Chosen & { ways: WaysBack }) | null;

/**
 * The decision, with a note on each field of the request that was ignored: a state may still hold fields of an earlier run,
 * and no way back is refused for that.
 */
export function withIgnoredFields(
  decision: Decision,
  request: RollbackRequest,
  endpointName: string,
  chosen: Needed,
): Decision {
  if (decision.decision === "refusal") return decision;
  const { plan } = decision;
  const aside = [...namedBeside(request, endpointName, chosen), ...wordsBeside(request, chosen)];
  const notes = [...plan.notes, ...aside];
  return {
    ...decision,
    plan: { ...plan, notes, draft: { ...plan.draft, notes: [...plan.draft.notes, ...aside] } },
  };
}

function namedBeside(
  { current_deployment_id: id, endpoint_beside: name }: RollbackRequest,
  endpointName: string,
  chosen: Needed,
): string[] {
  if (name !== undefined && name !== endpointName)
    return [`endpoint_name ${name} was not looked at: ${id} is a deployment of ${endpointName}.`];
  const isLeft = chosen === null || chosen.current?.deployment.deployment_id === id;
  return id === undefined || isLeft
    ? []
    : [`current_deployment_id ${id} was not looked at: it serves nothing of ${endpointName}.`];
}

function wordsBeside({ condemned_because: words }: RollbackRequest, chosen: Needed): string[] {
  const target = chosen?.target ?? null;
  if (words === undefined || (chosen !== null && target !== null && needsReason(target, chosen.ways)))
    return [];
  const what = target === null ? "what served before" : target.deployment.deployment_id;
  return [
    `condemned_because was not needed, and the history does not have it: nobody has condemned ${what}.`,
  ];
}
