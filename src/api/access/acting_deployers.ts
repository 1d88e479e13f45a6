import { createCapabilities } from "../../agents/model_deployer/capabilities.ts";
import { createModelDeployerGraph } from "../../agents/model_deployer/graph.ts";
import { resumeOperation } from "../../agents/model_deployer/operations/resume_operation.ts";
import type { Caller } from "../api_route.ts";
import type { ActingDeployer, ServedDeployer } from "../api_parts.ts";

const MOST_KEPT = 100;
const ENTRIES = 20;

type Asking = Pick<Caller, "principal" | "origin">;

/** Makes a deployer for each principal and place that it asks from, and keeps those that were used last. */
export function actingDeployers({ parts, settings }: ServedDeployer): (caller: Asking) => ActingDeployer {
  const kept = new Map<string, ActingDeployer>();
  return ({ principal, origin }) => {
    const key = JSON.stringify([principal, origin]);
    const acting = kept.get(key) ?? make({ principal, origin });
    kept.delete(key);
    kept.set(key, acting);
    for (const oldest of kept.keys()) {
      if (kept.size <= MOST_KEPT) break;
      kept.delete(oldest);
    }
    return acting;
  };

  function make({ principal, origin }: Asking): ActingDeployer {
    const capabilities = createCapabilities(parts, { ...settings, requested_by: principal, origin });
    return {
      graph: createModelDeployerGraph(capabilities),
      resume: (operationId, options) => resumeOperation(capabilities, operationId, options),
      deliver: (options) => capabilities.delivery.deliver(ENTRIES, options),
      reconcile: (options) => capabilities.reconciler.reconcile(options),
    };
  }
}
