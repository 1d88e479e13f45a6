import { AgentError } from "../../base/agent_error.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { Parts } from "../ports/parts.ts";
import { type Finding, findingOf } from "./reconciliation_report.ts";

/**
 * Has the router enforce who may call the endpoint, where it enforces another policy than the database has, and tells what
 * differed. It needs no lease: an older policy never replaces a newer one.
 */
export async function enforceIngress(
  endpointName: string,
  { ingress, database }: Pick<Parts, "ingress" | "database">,
  options: CallOptions,
): Promise<Finding[]> {
  if (ingress === undefined) return [];
  const drift = { part: "router" as const, subject: endpointName };
  try {
    const { revision } = await database.ingressPolicies.wanted(endpointName);
    const found = await ingress.enforced(endpointName, options);
    if (found === revision) return [];
    const wanted = `policy ${revision} for its callers`;
    const now = await ingress.enforce(endpointName, options);
    if (now === null) return [];
    return [
      findingOf(
        { ...drift, found: found === null ? "no policy" : `policy ${found}`, wanted, left: null },
        null,
      ),
    ];
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const told = { ...drift, found: "another policy", wanted: "the policy for its callers", left: null };
    return [findingOf(told, error.message)];
  }
}
